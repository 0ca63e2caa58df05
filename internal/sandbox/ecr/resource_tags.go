package ecr

import (
	"maps"
	"slices"
	"strings"

	"slipway/internal/sandbox/awsapi"
)

type resourceTag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

// maxResourceTags is the limit of AWS for a resource.
const maxResourceTags = 50

func setTags(on map[string]string, tags []resourceTag) error {
	for _, t := range tags {
		switch {
		case t.Key == "" || len(t.Key) > 128:
			return awsapi.NewError("InvalidTagParameterException", "tag keys must have length between 1 and 128")
		case len(t.Value) > 256:
			return awsapi.NewError("InvalidTagParameterException", "tag values must have length of at most 256")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return awsapi.NewError("InvalidTagParameterException", "tag keys must not begin with aws:")
		}
		on[t.Key] = t.Value
	}
	if len(on) > maxResourceTags {
		return awsapi.Errorf("TooManyTagsException", "a repository can have at most %d tags", maxResourceTags)
	}
	return nil
}

type tagResourceIn struct {
	ResourceArn string        `json:"resourceArn"`
	Tags        []resourceTag `json:"tags"`
}

func (s *Registries) tagResource(c awsapi.Call, in tagResourceIn) (out struct{}, err error) {
	return out, s.lockedARN(c, in.ResourceArn, func(_ *Registry, r *repository) error {
		merged := maps.Clone(r.resourceTags)
		if err := setTags(merged, in.Tags); err != nil {
			return err
		}
		r.resourceTags = merged
		return nil
	})
}

type untagResourceIn struct {
	ResourceArn string   `json:"resourceArn"`
	TagKeys     []string `json:"tagKeys"`
}

func (s *Registries) untagResource(c awsapi.Call, in untagResourceIn) (out struct{}, err error) {
	return out, s.lockedARN(c, in.ResourceArn, func(_ *Registry, r *repository) error {
		for _, key := range in.TagKeys {
			delete(r.resourceTags, key)
		}
		return nil
	})
}

type listTagsIn struct {
	ResourceArn string `json:"resourceArn"`
}

type listTagsOut struct {
	Tags []resourceTag `json:"tags"`
}

func (s *Registries) listTagsForResource(c awsapi.Call, in listTagsIn) (listTagsOut, error) {
	out := listTagsOut{Tags: []resourceTag{}}
	err := s.lockedARN(c, in.ResourceArn, func(_ *Registry, r *repository) error {
		for _, key := range slices.Sorted(maps.Keys(r.resourceTags)) {
			out.Tags = append(out.Tags, resourceTag{key, r.resourceTags[key]})
		}
		return nil
	})
	return out, err
}
