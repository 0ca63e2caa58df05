package lifecycle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// How much a policy may hold. Sources: lifecyclePolicyText in ECR's
// PutLifecyclePolicy API reference for the characters, "Amazon ECR service
// quotas" for the rules.
const (
	maxPolicy = 30720
	maxRules  = 50
)

// ErrTooLarge says that a policy has more characters or rules than ECR
// takes.
var ErrTooLarge = fmt.Errorf("the lifecycle policy would exceed %d characters or %d rules", maxPolicy, maxRules)

// Outcome says what a repository's policy should become.
type Outcome struct {
	// Text is the policy to have: the existing text where nothing changes.
	Text string
	// Changed is false when the existing policy says the same already.
	Changed bool
	// Kept holds the rules of other tools that stay as they are.
	Kept []Rule
	// Dropped holds the rules of other tools that are given up.
	Dropped []Rule
}

// UnreadableError reports that the existing policy could not be understood.
type UnreadableError struct{ Err error }

// Error says what is wrong with the policy.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("reading the existing lifecycle policy: %v", e.Err)
}

// Unwrap returns what is wrong with the policy.
func (e *UnreadableError) Unwrap() error { return e.Err }

// Merge joins the wanted rules with the policy that exists; existing is empty
// where there is none. Rules of ours (see Rule.Own) give way to the wanted
// ones. Rules of other tools stay byte for byte, under their own numbers: the
// wanted rules for tags take free numbers before every rule of theirs that
// looks at tags, and the age rule comes last. Where that cannot be, the error
// is a *ConflictError and nothing should be written. With replace, the policy
// becomes the wanted one alone. White space, the order of keys and values that
// only repeat a default make no difference.
//
// Other errors: existing cannot be read (unless replace), wanted is not a
// valid set of own rules, or ErrTooLarge.
func Merge(existing string, wanted Policy, replace bool) (Outcome, error) {
	ours, err := ownRules(wanted)
	if err != nil {
		return Outcome{}, fmt.Errorf("the wanted policy: %w", err)
	}
	have, err := parsePolicy(existing)
	if err != nil && !replace {
		return Outcome{}, &UnreadableError{Err: err}
	}
	unreadable := err != nil
	foreign := slices.DeleteFunc(slices.Clone(have), func(r ruleText) bool { return r.Own() })
	out := Outcome{Kept: plainRules(foreign)}
	if replace {
		out.Kept, out.Dropped, foreign = nil, out.Kept, nil
	}
	merged, err := besides(foreign, ours)
	if err != nil {
		return Outcome{}, err
	}
	if !unreadable && sameRules(have, merged) {
		out.Text = existing
		return out, nil
	}
	out.Text, out.Changed = joinRules(merged), true
	if n := utf8.RuneCountInString(out.Text); n > maxPolicy || len(merged) > maxRules {
		return Outcome{}, fmt.Errorf("%w: %d characters, %d rules", ErrTooLarge, n, len(merged))
	}
	return out, nil
}

// ownRules checks what a caller wants and gives each rule its text.
func ownRules(d Policy) ([]ruleText, error) {
	rules := make([]ruleText, len(d.Rules))
	for i, r := range d.Rules {
		if !r.Own() {
			return nil, fmt.Errorf("the description of %s does not start with %q", r, ownPrefix)
		}
		rules[i] = numbered(r, r.Priority)
	}
	if len(rules) == 0 {
		return nil, errors.New("it has no rules")
	}
	return rules, checkRules(rules)
}

func numbered(r Rule, priority int) ruleText {
	r.Priority = priority
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(r) // strings and integers always encode
	return ruleText{Rule: r, raw: bytes.TrimSpace(b.Bytes())}
}

// besides puts our rules around those of other tools.
func besides(foreign, ours []ruleText) ([]ruleText, error) {
	if len(foreign) == 0 {
		return inOrder(ours), nil
	}
	clashes := clashesByKind(foreign, ours)
	merged, late := place(foreign, ours)
	if clashes = append(clashes, late...); len(clashes) > 0 {
		return nil, &ConflictError{Clashes: mergeClashes(clashes)}
	}
	return inOrder(merged), nil
}

// place numbers our rules: those for tags from the bottom, the others above
// everything. An image that a rule selects is out of reach of all rules with
// higher numbers, so a tag is safe only before every rule that looks at tags;
// rules for untagged images never see a tagged one and may have any number.
// Source: "How lifecycle policies work" in the ECR user guide.
func place(foreign, ours []ruleText) ([]ruleText, []Clash) {
	taken, top := map[int]bool{}, 0
	for _, r := range foreign {
		taken[r.Priority] = true
		top = max(top, r.Priority)
	}
	merged, theirTop, next := slices.Clone(foreign), top, minPriority
	for _, r := range inOrder(ours) {
		if r.Selection.TagStatus != statusTagged {
			top = max(top+1, r.Priority)
			merged = append(merged, numbered(r.Rule, top))
			continue
		}
		for taken[next] {
			next++
		}
		merged = append(merged, numbered(r.Rule, next))
		next++
	}
	var clashes []Clash
	for _, r := range foreign {
		if r.Selection.TagStatus == statusTagged && r.Priority < next {
			clashes = append(clashes, Clash{r.Rule, fmt.Sprintf("leaves too few free priorities before it for the rules that protect %s: it needs a priority above %d",
				strings.Join(wholeTags(ours), ", "), next-1)})
		}
		if top > maxPriority && r.Priority == theirTop {
			clashes = append(clashes, Clash{r.Rule, "leaves no priority after it for the age rule"})
		}
	}
	return merged, clashes
}

// wholeTags returns the tags that rules name without a wildcard.
func wholeTags(rules []ruleText) []string {
	var tags []string
	for _, r := range rules {
		for _, pattern := range r.Selection.TagPatterns {
			if !strings.Contains(pattern, "*") {
				tags = append(tags, pattern)
			}
		}
	}
	return tags
}

func inOrder(rules []ruleText) []ruleText {
	return slices.SortedFunc(slices.Values(rules), func(a, b ruleText) int { return cmp.Compare(a.Priority, b.Priority) })
}

func plainRules(rules []ruleText) []Rule {
	var plain []Rule
	for _, r := range inOrder(rules) {
		plain = append(plain, r.Rule)
	}
	return plain
}

// joinRules writes a document around the rules' own bytes.
func joinRules(rules []ruleText) string {
	var b strings.Builder
	for i, r := range rules {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(r.raw)
	}
	return `{"rules":[` + b.String() + `]}`
}
