package sandbox

import (
	"maps"
	"slices"
	"strings"
)

// ecsTag is a tag as ECS spells it, unlike ECR.
type ecsTag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type ecsTags []ecsTag

// maxECSTags is the limit of the API reference for a resource.
const maxECSTags = 50

func (t ecsTags) value(key string) string {
	for _, tag := range t {
		if tag.Key == key {
			return tag.Value
		}
	}
	return ""
}

// list is never nil, which JSON would show as null.
func (t ecsTags) list() ecsTags { return append(ecsTags{}, t...) }

// check keeps the rules of the API reference's Tag type.
func (t ecsTags) check() error {
	if len(t) > maxECSTags {
		return parameterError("Too many tags: at most %d are allowed.", maxECSTags)
	}
	seen := map[string]bool{}
	for _, tag := range t {
		switch {
		case tag.Key == "" || len(tag.Key) > 128 || len(tag.Value) > 256:
			return parameterError("Invalid tag: keys must have length between 1 and 128, values of at most 256.")
		case strings.HasPrefix(strings.ToLower(tag.Key), "aws:"):
			return parameterError("Invalid tag: keys must not begin with aws:.")
		case seen[tag.Key]:
			return parameterError("Duplicate tag key: %s", tag.Key)
		}
		seen[tag.Key] = true
	}
	return nil
}

// merged is with the other tags set over these, in order of their keys.
func (t ecsTags) merged(over ecsTags) ecsTags {
	all := map[string]string{}
	for _, tag := range slices.Concat(t, over) {
		all[tag.Key] = tag.Value
	}
	var out ecsTags
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out = append(out, ecsTag{key, all[key]})
	}
	return out
}

// taggable finds the tags of what an ARN names.
func (e *ecs) taggable(arn string) (*ecsTags, error) {
	for _, f := range e.families {
		for _, d := range f.revisions {
			if d.arn == arn {
				return &d.tags, nil
			}
		}
	}
	for _, c := range e.clusters {
		if c.arn == arn && c.active {
			return &c.tags, nil
		}
		for _, s := range c.services {
			if s.arn == arn && s.status == "ACTIVE" {
				return &s.tags, nil
			}
		}
		for _, t := range c.tasks {
			if t.arn == arn {
				return &t.tags, nil
			}
		}
	}
	return nil, parameterError("The specified resource could not be found: %s", arn)
}

type ecsTagIn struct {
	ResourceArn string   `json:"resourceArn"`
	Tags        ecsTags  `json:"tags"`
	TagKeys     []string `json:"tagKeys"`
}

func tagECSResource(e *ecs, in ecsTagIn) (out struct{}, err error) {
	tags, err := e.taggable(in.ResourceArn)
	if err != nil {
		return out, err
	}
	if err := in.Tags.check(); err != nil {
		return out, err
	}
	merged := tags.merged(in.Tags)
	if err := merged.check(); err != nil {
		return out, err
	}
	*tags = merged
	return out, nil
}

func untagECSResource(e *ecs, in ecsTagIn) (out struct{}, err error) {
	tags, err := e.taggable(in.ResourceArn)
	if err != nil {
		return out, err
	}
	*tags = slices.DeleteFunc(slices.Clone(*tags), func(t ecsTag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return out, nil
}

type ecsTagsOut struct {
	Tags ecsTags `json:"tags"`
}

func listTagsForECSResource(e *ecs, in ecsTagIn) (out ecsTagsOut, err error) {
	tags, err := e.taggable(in.ResourceArn)
	if err != nil {
		return out, err
	}
	return ecsTagsOut{tags.list()}, nil
}
