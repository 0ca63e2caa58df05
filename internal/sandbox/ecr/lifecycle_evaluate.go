package ecr

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// lifecycleImage is an image as lifecycle policies see it.
type lifecycleImage struct {
	digest     string
	tags       []string
	pushedAt   time.Time
	usedAt     time.Time // last pull, else restoration, else push
	archivedAt time.Time
	archived   bool
	referenced bool // an index refers to it
	active     bool // an index refers to it that is not archived
}

// held reports whether an index keeps an image from an action.
func (i lifecycleImage) held(a lifecycleAction) bool {
	if a.Type == actionTransition {
		return i.active
	}
	return i.referenced
}

// policyResult is the action of a policy on an image.
type policyResult struct {
	digest   string
	priority int
	action   lifecycleAction
}

// evaluate applies the rules as the ECR user guide describes them: each
// considers all images that its selection matches, as if no other rule had
// marked any, but an image that matches the selection of a rule cannot be
// marked by a later one. An image stays while an index refers to it, and goes to
// the archive after its index. The results are in order of priority, then digest.
func (p lifecyclePolicy) evaluate(images []lifecycleImage, now time.Time) []policyResult {
	var out []policyResult
	claimed := map[string]bool{}
	for _, rule := range p.Rules {
		var matching []lifecycleImage
		for _, i := range images {
			if rule.Selection.matches(i) {
				matching = append(matching, i)
			}
		}
		var marked []policyResult
		for _, i := range rule.Selection.surplus(matching, now) {
			if !claimed[i.digest] && !i.held(rule.Action) {
				marked = append(marked, policyResult{i.digest, rule.RulePriority, rule.Action})
			}
		}
		slices.SortFunc(marked, func(a, b policyResult) int { return cmp.Compare(a.digest, b.digest) })
		out = append(out, marked...)
		for _, i := range matching {
			claimed[i.digest] = true
		}
	}
	return out
}

// matches reports whether a selection fits an image by its tags and storage
// class.
func (s lifecycleSelection) matches(i lifecycleImage) bool {
	if (s.StorageClass == classArchive) != i.archived {
		return false
	}
	switch s.TagStatus {
	case selectUntagged:
		return len(i.tags) == 0
	case selectTagged:
		return everyPattern(s.TagPatternList, i.tags, matchWildcard) &&
			everyPattern(s.TagPrefixList, i.tags, func(prefix, tag string) bool { return strings.HasPrefix(tag, prefix) })
	default:
		return true
	}
}

// everyPattern reports whether each pattern fits at least one of the tags:
// entries of a list must all be met.
func everyPattern(patterns, tags []string, fits func(pattern, tag string) bool) bool {
	for _, pattern := range patterns {
		if !slices.ContainsFunc(tags, func(tag string) bool { return fits(pattern, tag) }) {
			return false
		}
	}
	return true
}

// surplus returns the matching images that are beyond a rule's count or age.
func (s lifecycleSelection) surplus(matching []lifecycleImage, now time.Time) []lifecycleImage {
	if s.CountType == countMoreThan {
		youngestFirst := slices.SortedFunc(slices.Values(matching), func(a, b lifecycleImage) int {
			return cmp.Or(b.pushedAt.Compare(a.pushedAt), cmp.Compare(a.digest, b.digest))
		})
		return youngestFirst[min(s.CountNumber, len(youngestFirst)):]
	}
	var out []lifecycleImage
	limit := time.Duration(s.CountNumber) * 24 * time.Hour
	for _, i := range matching {
		if now.Sub(i.since(s.CountType)) > limit {
			out = append(out, i)
		}
	}
	return out
}

func (i lifecycleImage) since(countType string) time.Time {
	switch countType {
	case sincePulled:
		return i.usedAt
	case sinceTransition:
		return i.archivedAt
	default:
		return i.pushedAt
	}
}
