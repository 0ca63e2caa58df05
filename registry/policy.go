package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ownPrefix begins the description of every rule of ours, so that a later
// version knows them from other people's.
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

// agePriority leaves room before the age rule for rules of other people.
const agePriority = 100

// Document is a lifecycle policy of ECR. It marshals to the JSON that
// PutLifecyclePolicy takes.
type Document struct {
	// Rules holds the rules in the order of their priority.
	Rules []Rule `json:"rules"`
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

// Action is what a rule does to the images it catches.
type Action struct {
	// Type is expire or transition.
	Type string `json:"type"`
}

// cacheImages is how many images may bear tags of build caches at once: one for
// each platform that has an engine of its own. Of more, the oldest go.
const cacheImages = 8

// Policy returns the policy that keeps the images of every protected tag and
// expires all others a number of days after their push. Each tag has a rule of
// its own, since several entries of one pattern list must all match. One image
// at most bears a tag, so these rules expire nothing; an image that matches
// them is out of reach of the age rule. A cache whose tag went on to a newer
// one matches no rule but the last. Days below 1 make a document that Merge
// refuses.
func Policy(days int) Document {
	var d Document
	for i, tag := range protectedPatterns() {
		most := 1
		if tag == platformCaches {
			most = cacheImages
		}
		d.Rules = append(d.Rules, Rule{
			Priority:    minPriority + i,
			Description: ownPrefix + "keep what is tagged " + tag,
			Selection: Selection{
				TagStatus:   statusTagged,
				TagPatterns: []string{tag},
				CountType:   countMoreThan,
				CountNumber: most,
			},
			Action: Action{Type: actionExpire},
		})
	}
	return Document{Rules: append(d.Rules, Rule{
		Priority:    agePriority,
		Description: fmt.Sprintf("%sexpire the rest %s after the push", ownPrefix, count(days, "day")),
		Selection: Selection{
			TagStatus:   statusAny,
			CountType:   countPushed,
			CountUnit:   unitDays,
			CountNumber: days,
		},
		Action: Action{Type: actionExpire},
	})}
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// Own tells whether the rule is Slipway's, by its description.
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

// checkRules tells whether ECR would take the rules side by side. What it
// cannot know, such as a count type of the future, it leaves to ECR.
func checkRules(rules []ruleText) error {
	owner := map[int]bool{}
	last, top := 0, 0
	for _, r := range rules {
		switch {
		case r.Priority < minPriority || r.Priority > maxPriority:
			return fmt.Errorf("rulePriority %d is not between %d and %d", r.Priority, minPriority, maxPriority)
		case owner[r.Priority]:
			return fmt.Errorf("rulePriority %d is there twice", r.Priority)
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
