// Package taglist is the tags of a resource of ECS.
package taglist

import (
	"maps"
	"slices"
	"strings"

	"slipway/internal/sandbox/awsapi"
)

// Tag is a tag in ECS's spelling, which differs from ECR's.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// List is the tags of a resource.
type List []Tag

// most is the limit of the API reference for a resource.
const most = 50

// Value returns the value of a tag, empty if there is none.
func (t List) Value(key string) string {
	for _, tag := range t {
		if tag.Key == key {
			return tag.Value
		}
	}
	return ""
}

// All returns the tags. It is never nil, which JSON would show as null.
func (t List) All() List { return append(List{}, t...) }

// Check applies the rules of the API reference's Tag type.
func (t List) Check() error {
	if len(t) > most {
		return invalid("Too many tags: at most %d are allowed.", most)
	}
	seen := map[string]bool{}
	for _, tag := range t {
		switch {
		case tag.Key == "" || len(tag.Key) > 128 || len(tag.Value) > 256:
			return invalid("Invalid tag: keys must have length between 1 and 128, values of at most 256.")
		case strings.HasPrefix(strings.ToLower(tag.Key), "aws:"):
			return invalid("Invalid tag: keys must not begin with aws:.")
		case seen[tag.Key]:
			return invalid("Duplicate tag key: %s", tag.Key)
		}
		seen[tag.Key] = true
	}
	return nil
}

// Merged returns the tags with others set over them, in order of their keys.
func (t List) Merged(over List) List {
	all := map[string]string{}
	for _, tag := range slices.Concat(t, over) {
		all[tag.Key] = tag.Value
	}
	var out List
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out = append(out, Tag{key, all[key]})
	}
	return out
}

// Add sets other tags, unless the result breaks a rule.
func (t *List) Add(tags List) error {
	if err := tags.Check(); err != nil {
		return err
	}
	merged := t.Merged(tags)
	if err := merged.Check(); err != nil {
		return err
	}
	*t = merged
	return nil
}

// Remove removes the tags of some keys.
func (t *List) Remove(keys []string) {
	*t = slices.DeleteFunc(slices.Clone(*t), func(tag Tag) bool { return slices.Contains(keys, tag.Key) })
}

func invalid(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterException", format, args...)
}
