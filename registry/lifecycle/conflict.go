package lifecycle

import (
	"slices"
	"strings"

	"slipway/internal/fault"
)

// Clash is a rule of other tools that cannot stand next to ours.
type Clash struct {
	// Rule is theirs.
	Rule Rule
	// Why completes a sentence that begins with the rule.
	Why string
}

// ConflictError says that a repository has rules of other tools next to which
// Slipway's cannot hold. Nothing was written.
type ConflictError struct {
	// Clashes names each such rule, in the order of their numbers.
	Clashes []Clash
}

// Error names each rule and the reason of its conflict.
func (e *ConflictError) Error() string {
	var b strings.Builder
	b.WriteString("the lifecycle policy has rules that conflict with slipway's:")
	for _, c := range e.Clashes {
		b.WriteString("\n  " + c.Rule.String() + " " + c.Why)
	}
	return b.String()
}

// Kind returns fault.AWS.
func (e *ConflictError) Kind() fault.Kind { return fault.AWS }

// clashesByKind finds the rules that clash whatever numbers ours are given.
func clashesByKind(foreign, ours []ruleText) []Clash {
	var clashes []Clash
	for _, f := range foreign {
		s := f.Selection
		switch {
		case s.TagStatus == statusAny:
			clashes = append(clashes, Clash{f.Rule, "has tagStatus any, which only the last rule can have"})
		case s.TagStatus != statusTagged:
		case selectsAll(s):
			clashes = append(clashes, Clash{f.Rule, "selects every tag, so that the age rule would never see a tagged image"})
		case slices.ContainsFunc(ours, func(o ruleText) bool { return sameTags(o.Selection, s) }):
			clashes = append(clashes, Clash{f.Rule, "selects the same tag as a rule of slipway's"})
		}
	}
	return clashes
}

// selectsAll reports whether every tagged image is selected. Each entry of both
// lists must match some tag, so one narrow entry makes the rule narrow.
func selectsAll(s Selection) bool {
	narrow := func(entry string) bool { return strings.Trim(entry, "*") != "" }
	return !slices.ContainsFunc(s.TagPatterns, narrow) && !slices.ContainsFunc(s.TagPrefixes, narrow)
}

// sameTags reports whether both select by exactly the same patterns, which ECR
// does not take twice. Source: "the set of rules must contain a unique set of
// tag prefixes", from the lifecycle policy rules in the ECR user guide.
func sameTags(a, b Selection) bool {
	return a.TagStatus == b.TagStatus && len(a.TagPrefixes)+len(b.TagPrefixes) == 0 &&
		slices.Equal(distinct(a.TagPatterns), distinct(b.TagPatterns))
}

func distinct(tags []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(tags)))
}

// mergeClashes puts the clashes in order and leaves one for each rule, since
// the first reason is enough to act on.
func mergeClashes(clashes []Clash) []Clash {
	slices.SortStableFunc(clashes, func(a, b Clash) int { return a.Rule.Priority - b.Rule.Priority })
	return slices.CompactFunc(clashes, func(a, b Clash) bool { return a.Rule.Priority == b.Rule.Priority })
}
