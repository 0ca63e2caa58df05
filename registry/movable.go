package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/fault"
	"slipway/registry/lifecycle"
)

// maxFilters is how many exclusion filters a repository takes.
// Source: ImageTagMutabilityExclusionFilters in the service model of ECR's API.
const maxFilters = 5

// ImmovableError says that a repository does not let tags move which must.
type ImmovableError struct {
	// Repository is the one whose setting is in the way.
	Repository Repository
	// Tags holds the tags that cannot move.
	Tags []string
}

// Error names the repository, its setting, and the command that changes it.
func (e *ImmovableError) Error() string {
	r := e.Repository
	setting := string(r.Mutability)
	if len(r.Exclusions) > 0 {
		setting += " of " + strings.Join(r.Exclusions, ", ")
	}
	return fmt.Sprintf("repository %s is %s, so %s cannot move; change that with:\n  %s",
		r.Ref, setting, strings.Join(e.Tags, ", "), e.Remedy())
}

// Kind returns fault.AWS.
func (e *ImmovableError) Kind() fault.Kind { return fault.AWS }

// Remedy returns the AWS CLI's command line that lets the tags move and leaves
// the other tags as they are. Where that takes more filters than ECR does, it
// lets all tags move.
func (e *ImmovableError) Remedy() string {
	r := e.Repository
	setting, filters := types.ImageTagMutabilityImmutableWithExclusion, e.Tags
	switch r.Mutability {
	case types.ImageTagMutabilityImmutableWithExclusion:
		filters = slices.Concat(r.Exclusions, e.Tags)
	case types.ImageTagMutabilityMutableWithExclusion:
		setting = types.ImageTagMutabilityMutableWithExclusion
		filters = slices.DeleteFunc(slices.Clone(r.Exclusions), func(f string) bool {
			return slices.ContainsFunc(e.Tags, func(tag string) bool { return lifecycle.MatchTag(f, tag) })
		})
	}
	if len(filters) == 0 || len(filters) > maxFilters {
		setting, filters = types.ImageTagMutabilityMutable, nil
	}
	command := append(r.Command("put-image-tag-mutability"), "--image-tag-mutability "+string(setting))
	if len(filters) > 0 {
		command = append(command, "--image-tag-mutability-exclusion-filters")
	}
	for _, f := range filters {
		command = append(command, fmt.Sprintf("'filterType=WILDCARD,filter=%s'", f))
	}
	return strings.Join(command, " ")
}

// Command returns the beginning of a command line of the AWS CLI about a repository.
func (r Ref) Command(action string) []string {
	out := []string{"aws ecr " + action}
	if r.Account != "" {
		out = append(out, "--registry-id "+r.Account)
	}
	if r.Region != "" {
		out = append(out, "--region "+r.Region)
	}
	return append(out, "--repository-name "+r.Name)
}

// CheckMovable reports whether every one of tags can move in the repository.
// The error is an *ImmovableError.
func (r Repository) CheckMovable(tags []string) error {
	var stuck []string
	for _, tag := range tags {
		if !r.movable(tag) {
			stuck = append(stuck, tag)
		}
	}
	if len(stuck) == 0 {
		return nil
	}
	return &ImmovableError{Repository: r, Tags: stuck}
}

// movable reads Mutability and Exclusions. A setting of the future is taken
// for movable: the registry has the last word anyway.
func (r Repository) movable(tag string) bool {
	excluded := slices.ContainsFunc(r.Exclusions, func(f string) bool { return lifecycle.MatchTag(f, tag) })
	switch r.Mutability {
	case types.ImageTagMutabilityImmutable:
		return false
	case types.ImageTagMutabilityImmutableWithExclusion:
		return excluded
	case types.ImageTagMutabilityMutableWithExclusion:
		return !excluded
	default:
		return true
	}
}
