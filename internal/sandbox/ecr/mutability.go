package ecr

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"slipway/internal/sandbox/awsapi"
)

// tagMutability is the setting of a repository for which tags may be moved.
type tagMutability struct {
	Setting    string
	Exclusions []exclusionFilter
}

type exclusionFilter struct {
	FilterType string `json:"filterType"`
	Filter     string `json:"filter"`
}

// maxExclusions is ECR's limit per repository.
const maxExclusions = 5

var exclusionPattern = regexp.MustCompile(`^[0-9a-zA-Z._*-]{1,128}$`)

// newTagMutability returns the setting of a request, with the errors of ECR.
func newTagMutability(setting string, exclusions []exclusionFilter) (tagMutability, error) {
	m := tagMutability{setting, exclusions}
	switch setting {
	case "MUTABLE", "IMMUTABLE":
		if exclusions != nil {
			return m, awsapi.InvalidParameter("imageTagMutabilityExclusionFilters",
				"must be absent unless imageTagMutability is IMMUTABLE_WITH_EXCLUSION or MUTABLE_WITH_EXCLUSION")
		}
	case "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION":
		if len(exclusions) < 1 || len(exclusions) > maxExclusions {
			return m, awsapi.InvalidParameter("imageTagMutabilityExclusionFilters",
				fmt.Sprintf("must have length between 1 and %d", maxExclusions))
		}
	default:
		return m, awsapi.InvalidParameter("imageTagMutability",
			"must satisfy enum value set: [MUTABLE, IMMUTABLE, IMMUTABLE_WITH_EXCLUSION, MUTABLE_WITH_EXCLUSION]")
	}
	for _, e := range exclusions {
		if e.FilterType != "WILDCARD" {
			return m, awsapi.InvalidParameter("imageTagMutabilityExclusionFilters.filterType",
				"must satisfy enum value set: [WILDCARD]")
		}
		if !exclusionPattern.MatchString(e.Filter) {
			return m, awsapi.InvalidParameter("imageTagMutabilityExclusionFilters.filter",
				"must satisfy regular expression '"+exclusionPattern.String()+"'")
		}
	}
	return m, nil
}

// fixed reports whether a tag cannot be moved once it exists.
func (m tagMutability) fixed(tag string) bool {
	excluded := slices.ContainsFunc(m.Exclusions, func(e exclusionFilter) bool {
		return matchWildcard(e.Filter, tag)
	})
	switch m.Setting {
	case "IMMUTABLE":
		return true
	case "IMMUTABLE_WITH_EXCLUSION":
		return !excluded
	case "MUTABLE_WITH_EXCLUSION":
		return excluded
	default:
		return false
	}
}

// matchWildcard matches a whole string; * stands for any run of characters,
// none included.
func matchWildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, found := strings.Cut(s, part)
		if !found {
			return false
		}
		s = rest
	}
	return true
}
