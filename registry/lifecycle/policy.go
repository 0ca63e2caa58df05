// Package lifecycle reads, writes and merges lifecycle policies of ECR, and
// computes when they expire an image. It is pure: package registry makes the
// requests.
package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ownPrefix begins the description of every rule of ours, so that a later
// version knows them from other tools'.
const ownPrefix = "slipway: "

// The values of a rule that Slipway writes or looks at.
// Source: "Lifecycle policy properties in Amazon ECR" in the ECR user guide.
const (
	statusTagged   = "tagged"
	statusUntagged = "untagged"
	statusAny      = "any"

	countMoreThan = "imageCountMoreThan"
	countPushed   = "sinceImagePushed"
	unitDays      = "days"
	actionExpire  = "expire"

	classStandard = "standard" // what a rule without a class is about
)

// The least and greatest number a rule may bear. Source: an integer of 1 or
// more by LifecyclePolicyRulePriority in the service model of ECR's API, whose
// integers have 32 bits.
const (
	minPriority = 1
	maxPriority = math.MaxInt32
)

// agePriority leaves room before the age rule for rules of other tools.
const agePriority = 100

// Policy is a lifecycle policy of ECR. It marshals to the JSON that
// PutLifecyclePolicy takes.
type Policy struct {
	// Rules holds the rules in the order of their priority.
	Rules []Rule `json:"rules"`
	// err is why the text of the policy could not be understood.
	err error
}

// Rule is one rule of a lifecycle policy.
type Rule struct {
	// Priority is unique in a document; the lowest number applies first.
	Priority int `json:"rulePriority"`
	// Description says what the rule is for.
	Description string `json:"description,omitempty"`
	// Selection says which images the rule looks at.
	Selection Selection `json:"selection"`
	// Action says what becomes of them.
	Action Action `json:"action"`
}

// Selection says which images a rule is about.
type Selection struct {
	// TagStatus is tagged, untagged or any.
	TagStatus string `json:"tagStatus"`
	// TagPatterns must all match a tag of the image; * stands for any text.
	TagPatterns []string `json:"tagPatternList,omitempty"`
	// TagPrefixes must all begin a tag of the image.
	TagPrefixes []string `json:"tagPrefixList,omitempty"`
	// StorageClass is standard, also when empty, or archive.
	StorageClass string `json:"storageClass,omitempty"`
	// CountType says what CountNumber counts, such as imageCountMoreThan.
	CountType string `json:"countType"`
	// CountUnit is days where CountNumber is an age.
	CountUnit string `json:"countUnit,omitempty"`
	// CountNumber is the number of images, or of units of age, to keep.
	CountNumber int `json:"countNumber"`
}

// Action is the effect of a rule on the images that it selects.
type Action struct {
	// Type is expire or transition.
	Type string `json:"type"`
}

// wildcardImages is how many images may have tags that match a pattern with a
// wildcard at once, such as those of all ECS services: more than have any. Each
// such tag points to one image, so no image with one expires.
const wildcardImages = 1000

// New returns the policy that keeps the images whose tags match one of the
// patterns, and expires all others a number of days after their push. Each
// pattern has a rule of its own, since an image must match all entries of one
// pattern list. A tag without a wildcard points to one image at most, so its
// rule expires nothing; and an image that a rule selects is out of reach of the
// age rule. Days below 1 make a policy that Merge refuses.
func New(days int, patterns ...string) Policy {
	var d Policy
	for i, pattern := range patterns {
		most := 1
		if strings.Contains(pattern, "*") {
			most = wildcardImages
		}
		d.Rules = append(d.Rules, Rule{
			Priority:    minPriority + i,
			Description: ownPrefix + "keep what is tagged " + pattern,
			Selection: Selection{
				TagStatus:   statusTagged,
				TagPatterns: []string{pattern},
				CountType:   countMoreThan,
				CountNumber: most,
			},
			Action: Action{Type: actionExpire},
		})
	}
	return Policy{Rules: append(d.Rules, Rule{
		Priority:    agePriority,
		Description: fmt.Sprintf("%sexpire the rest %s after the push", ownPrefix, countDays(days)),
		Selection: Selection{
			TagStatus:   statusAny,
			CountType:   countPushed,
			CountUnit:   unitDays,
			CountNumber: days,
		},
		Action: Action{Type: actionExpire},
	})}
}

func countDays(n int) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

// Own reports whether the rule is Slipway's, by its description.
func (r Rule) Own() bool { return strings.HasPrefix(r.Description, ownPrefix) }

// String describes the rule in one line, for people.
func (r Rule) String() string {
	which := r.Selection.TagStatus
	if tags := slices.Concat(r.Selection.TagPatterns, r.prefixPatterns()); len(tags) > 0 {
		which += " " + strings.Join(tags, " and ")
	}
	s := fmt.Sprintf("rule %d (%s, %s %d %s", r.Priority, which, r.Selection.CountType, r.Selection.CountNumber, r.Selection.CountUnit)
	s = strings.TrimRight(s, " ") + ")"
	if r.Description != "" {
		s += fmt.Sprintf(" %q", r.Description)
	}
	return s
}

func (r Rule) prefixPatterns() []string {
	patterns := make([]string, len(r.Selection.TagPrefixes))
	for i, p := range r.Selection.TagPrefixes {
		patterns[i] = p + "*"
	}
	return patterns
}

// ruleText is a rule together with the bytes it was read from, which are
// written back as they are.
type ruleText struct {
	Rule
	raw json.RawMessage
}

func (r *ruleText) UnmarshalJSON(b []byte) error {
	*r = ruleText{raw: slices.Clone(b)}
	return json.Unmarshal(b, &r.Rule)
}

// parsePolicy reads a policy's text; empty text is a policy without rules.
func parsePolicy(text string) ([]ruleText, error) {
	if text == "" {
		return nil, nil
	}
	var doc struct {
		Rules []ruleText `json:"rules"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	return doc.Rules, checkRules(doc.Rules)
}

// checkRules reports whether ECR would take the rules side by side. What it
// cannot know, such as a count type of the future, it leaves to ECR.
func checkRules(rules []ruleText) error {
	owner := map[int]bool{}
	last, top := 0, 0
	for _, r := range rules {
		switch {
		case r.Priority < minPriority || r.Priority > maxPriority:
			return fmt.Errorf("rulePriority %d is not between %d and %d", r.Priority, minPriority, maxPriority)
		case owner[r.Priority]:
			return fmt.Errorf("rulePriority %d is used twice", r.Priority)
		case r.Selection.TagStatus == statusAny && last != 0:
			return errors.New("two rules have tagStatus any")
		}
		if err := checkSelection(r.Selection); err != nil {
			return fmt.Errorf("rulePriority %d: %w", r.Priority, err)
		}
		owner[r.Priority] = true
		top = max(top, r.Priority)
		if r.Selection.TagStatus == statusAny {
			last = r.Priority
		}
	}
	if last != 0 && last != top {
		return fmt.Errorf("rulePriority %d has tagStatus any and is not the highest", last)
	}
	return nil
}

func checkSelection(s Selection) error {
	lists := len(s.TagPatterns) + len(s.TagPrefixes)
	switch s.TagStatus {
	case statusTagged:
		if lists == 0 {
			return errors.New("tagStatus tagged without tagPatternList or tagPrefixList")
		}
	case statusUntagged, statusAny:
		if lists != 0 {
			return fmt.Errorf("tagStatus %s with tagPatternList or tagPrefixList", s.TagStatus)
		}
	default:
		return fmt.Errorf("unknown tagStatus %q", s.TagStatus)
	}
	if s.CountNumber < 1 {
		return fmt.Errorf("countNumber %d is below 1", s.CountNumber)
	}
	return nil
}
