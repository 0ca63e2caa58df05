package ecs

import (
	"maps"
	"slices"
	"strings"
)

// tag is a tag in ECS's spelling, which differs from ECR's.
type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type tagList []tag

// maxTags is the limit of the API reference for a resource.
const maxTags = 50

func (t tagList) value(key string) string {
	for _, tag := range t {
		if tag.Key == key {
			return tag.Value
		}
	}
	return ""
}

// list returns the tags. It is never nil, which JSON would show as null.
func (t tagList) list() tagList { return append(tagList{}, t...) }

// check applies the rules of the API reference's Tag type.
func (t tagList) check() error {
	if len(t) > maxTags {
		return parameterError("Too many tags: at most %d are allowed.", maxTags)
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

// merged returns the tags with others set over them, in order of their keys.
func (t tagList) merged(over tagList) tagList {
	all := map[string]string{}
	for _, tag := range slices.Concat(t, over) {
		all[tag.Key] = tag.Value
	}
	var out tagList
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out = append(out, tag{key, all[key]})
	}
	return out
}

// taggable returns the tags of the resource of an ARN.
func (e *region) taggable(arn string) (*tagList, error) {
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

type tagIn struct {
	ResourceArn string   `json:"resourceArn"`
	Tags        tagList  `json:"tags"`
	TagKeys     []string `json:"tagKeys"`
}

func tagResource(e *region, in tagIn) (out struct{}, err error) {
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

func untagResource(e *region, in tagIn) (out struct{}, err error) {
	tags, err := e.taggable(in.ResourceArn)
	if err != nil {
		return out, err
	}
	*tags = slices.DeleteFunc(slices.Clone(*tags), func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return out, nil
}

type tagsOut struct {
	Tags tagList `json:"tags"`
}

func listTagsForResource(e *region, in tagIn) (out tagsOut, err error) {
	tags, err := e.taggable(in.ResourceArn)
	if err != nil {
		return out, err
	}
	return tagsOut{tags.list()}, nil
}
