package ecs

import "slipway/internal/sandbox/ecs/taglist"

// taggable returns the tags of the resource of an ARN.
func (e *region) taggable(arn string) (*taglist.List, error) {
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
	ResourceArn string       `json:"resourceArn"`
	Tags        taglist.List `json:"tags"`
	TagKeys     []string     `json:"tagKeys"`
}

func tagResource(e *region, in tagIn) (out struct{}, err error) {
	tags, err := e.taggable(in.ResourceArn)
	if err != nil {
		return out, err
	}
	return out, tags.Add(in.Tags)
}

func untagResource(e *region, in tagIn) (out struct{}, err error) {
	tags, err := e.taggable(in.ResourceArn)
	if err != nil {
		return out, err
	}
	tags.Remove(in.TagKeys)
	return out, nil
}

type tagsOut struct {
	Tags taglist.List `json:"tags"`
}

func listTagsForResource(e *region, in tagIn) (out tagsOut, err error) {
	tags, err := e.taggable(in.ResourceArn)
	if err != nil {
		return out, err
	}
	return tagsOut{tags.All()}, nil
}
