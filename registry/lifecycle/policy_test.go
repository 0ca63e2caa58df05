package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"slipway/internal/golden"
)

func policyText(t testing.TB, d Policy) string {
	t.Helper()
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func indented(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// retention is the policy that registry makes of its protected tags.
func retention(days int) Policy {
	return New(days, "latest", "deployed", "buildcache", "buildcache-linux-*")
}

func rule(priority int, selection string) string {
	return fmt.Sprintf(`{"rulePriority":%d,"description":"theirs","selection":{%s,"countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}`, priority, selection)
}

func policyOf(rules ...string) string { return `{"rules":[` + strings.Join(rules, ",") + `]}` }

const (
	untagged = `"tagStatus":"untagged"`
	anyImage = `"tagStatus":"any"`
)

func tagged(patterns ...string) string {
	return `"tagStatus":"tagged","tagPatternList":["` + strings.Join(patterns, `","`) + `"]`
}

func prefixed(prefix string) string {
	return `"tagStatus":"tagged","tagPrefixList":["` + prefix + `"]`
}

// firstPolicy is what was written before each platform had a cache of its own.
func firstPolicy(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/policy-first.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMergeAlone(t *testing.T) {
	t.Parallel()
	ours := policyText(t, retention(7))
	for name, existing := range map[string]string{
		"none":            "",
		"no rules":        `{"rules":[]}`,
		"older rules":     policyText(t, retention(30)),
		"the first ones":  firstPolicy(t),
		"some rules":      policyText(t, Policy{Rules: retention(7).Rules[:2]}),
		"a rule of later": strings.ReplaceAll(rule(4, tagged("later")), "theirs", "slipway: later"),
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(existing, `{"rulePriority`) {
				existing = policyOf(existing)
			}
			got, err := Merge(existing, retention(7), false)
			if err != nil || !got.Changed || got.Text != ours || len(got.Kept)+len(got.Dropped) != 0 {
				t.Errorf("got %+v, %v, want a change to %s without others' rules", got, err, ours)
			}
		})
	}
}

func TestMergeSeesWhatMakesNoDifference(t *testing.T) {
	t.Parallel()
	ours := policyText(t, retention(7))
	rules := retention(7).Rules
	shuffled := policyText(t, Policy{Rules: []Rule{rules[4], rules[3], rules[1], rules[0], rules[2]}})
	for name, existing := range map[string]string{
		"the same":    ours,
		"white space": indented(t, ours),
		"rule order":  shuffled,
		"key order": strings.Replace(ours, `"tagStatus":"any","countType":"sinceImagePushed"`,
			`"countType":"sinceImagePushed","tagStatus":"any"`, 1),
		"defaults": strings.ReplaceAll(ours, `"tagStatus":"any"`, `"tagStatus":"any","storageClass":"standard","tagPrefixList":[],"tagPatternList":null`),
	} {
		t.Run(name, func(t *testing.T) {
			if name != "the same" && existing == ours {
				t.Fatal("the case changes nothing")
			}
			got, err := Merge(existing, retention(7), false)
			if err != nil || got.Changed || got.Text != existing {
				t.Errorf("got %+v, %v, want no change of %s", got, err, existing)
			}
		})
	}
}

func TestMergeSeesWhatMakesADifference(t *testing.T) {
	t.Parallel()
	ours := policyText(t, retention(7))
	for _, change := range [][2]string{
		{`"countNumber":7`, `"countNumber":8`},
		{`"latest"`, `"newest"`},
		{`"type":"expire"`, `"type":"transition","targetStorageClass":"archive"`},
		{`"tagStatus":"any"`, `"tagStatus":"any","storageClass":"archive"`},
		{`"rulePriority":100`, `"rulePriority":99`},
		{`,"countUnit":"days"`, `,"countUnit":"hours"`},
		{`slipway: expire`, `slipway: perhaps expire`},
	} {
		existing := strings.Replace(ours, change[0], change[1], 1)
		if existing == ours {
			t.Fatalf("%q is not in the policy", change[0])
		}
		got, err := Merge(existing, retention(7), false)
		if err != nil || !got.Changed || got.Text != ours {
			t.Errorf("%q: got %+v, %v, want a change to %s", change[1], got, err, ours)
		}
	}
}

func TestMergeBesides(t *testing.T) {
	t.Parallel()
	odd := `{ "rulePriority": 9,  "description":"odd <&> ü", "selection":{"tagStatus":"tagged","tagPatternList":["v*"],"countType":"sinceImagePulled","countUnit":"days","countNumber":1, "new":[1.50]}, "action":{"type":"transition","targetStorageClass":"archive"},"x":null}`
	for name, tc := range map[string]struct {
		existing string
		ours     []int // numbers of our rules, the age rule last
	}{
		"untagged first":           {policyOf(rule(1, untagged)), []int{2, 3, 4, 5, 100}},
		"untagged between":         {policyOf(rule(2, untagged)), []int{1, 3, 4, 5, 100}},
		"untagged above":           {policyOf(rule(500, untagged)), []int{1, 2, 3, 4, 501}},
		"tagged later":             {policyOf(rule(5, tagged("v*"))), []int{1, 2, 3, 4, 100}},
		"tagged at the age's":      {policyOf(rule(100, tagged("v*"))), []int{1, 2, 3, 4, 101}},
		"prefix later":             {policyOf(rule(10, prefixed("v"))), []int{1, 2, 3, 4, 100}},
		"wildcard and narrow":      {policyOf(rule(10, tagged("*", "v*"))), []int{1, 2, 3, 4, 100}},
		"both, with ours about":    {policyOf(rule(2, untagged), rule(7, tagged("v*")), policyRules(retention(3))), []int{1, 3, 4, 5, 100}},
		"a longer name of a tag":   {policyOf(rule(10, tagged("latest-*"))), []int{1, 2, 3, 4, 100}},
		"an odd one stays as text": {policyOf(odd), []int{1, 2, 3, 4, 100}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Merge(tc.existing, retention(7), false)
			if err != nil || !got.Changed {
				t.Fatalf("got %+v, %v, want a change", got, err)
			}
			checkMerged(t, tc.existing, got)
			var numbers []int
			rules, err := parsePolicy(got.Text)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rules {
				if r.Own() {
					numbers = append(numbers, r.Priority)
				}
			}
			if fmt.Sprint(numbers) != fmt.Sprint(tc.ours) {
				t.Errorf("our rules have the numbers %v, want %v, in %s", numbers, tc.ours, got.Text)
			}
		})
	}
}

// policyRules gives a document's rules as the inside of a list. They may bear
// numbers that are taken; those of the test above do not matter.
func policyRules(d Policy) string {
	for i := range d.Rules {
		d.Rules[i].Priority += 200
	}
	b, _ := json.Marshal(d.Rules)
	return strings.Trim(string(b), "[]")
}

func TestMergeConflicts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		existing string
		want     []string // beginnings of the clashes
	}{
		"any":              {policyOf(rule(5, anyImage)), []string{"rule 5 (any"}},
		"before any":       {policyOf(rule(1, tagged("v*")), rule(5, anyImage)), []string{"rule 1 (tagged v*", "rule 5 (any"}},
		"no room":          {policyOf(rule(1, tagged("v*"))), []string{"rule 1 (tagged v*"}},
		"little room":      {policyOf(rule(1, untagged), rule(3, prefixed("v")), rule(4, tagged("w*")), rule(9, tagged("x*"))), []string{"rule 3 (tagged v*", "rule 4 (tagged w*"}},
		"every tag":        {policyOf(rule(9, tagged("*"))), []string{"rule 9 (tagged *"}},
		"every tag, twice": {policyOf(rule(9, tagged("**", "*"))), []string{"rule 9 (tagged ** and *"}},
		"every prefix":     {policyOf(rule(9, prefixed(""))), []string{"rule 9 (tagged *"}},
		"our tag":          {policyOf(rule(9, tagged("latest"))), []string{"rule 9 (tagged latest"}},
		"no number left":   {policyOf(rule(math.MaxInt32, untagged)), []string{"rule 2147483647 (untagged"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Merge(tc.existing, retention(7), false)
			var conflict *ConflictError
			if !errors.As(err, &conflict) {
				t.Fatalf("got %v, want a conflict", err)
			}
			if len(conflict.Clashes) != len(tc.want) {
				t.Fatalf("got %v, want the clashes %v", conflict, tc.want)
			}
			for i, want := range tc.want {
				if got := conflict.Clashes[i]; !strings.HasPrefix(got.Rule.String(), want) || got.Why == "" {
					t.Errorf("clash %d is %q %q, want %q", i, got.Rule, got.Why, want)
				}
			}
			got, err := Merge(tc.existing, retention(7), true)
			if err != nil || got.Text != policyText(t, retention(7)) || len(got.Dropped) == 0 || len(got.Kept) != 0 {
				t.Errorf("with replace: %+v, %v", got, err)
			}
		})
	}
}

func TestConflictErrorGolden(t *testing.T) {
	t.Parallel()
	_, err := Merge(policyOf(rule(1, tagged("v*")), rule(6, tagged("latest")), rule(7, prefixed("")), rule(100, anyImage)), retention(7), false)
	if err == nil {
		t.Fatal("no conflict")
	}
	golden.Check(t, "conflict.golden", []byte(err.Error()+"\n"))
}

func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	foreign := retention(7)
	foreign.Rules[0].Description = "latest"
	twice := retention(7)
	twice.Rules[1].Priority = 1
	long := rule(50, tagged("v*"))
	short, err := Merge(policyOf(long), retention(7), false)
	if err != nil {
		t.Fatal(err)
	}
	long = policyOf(strings.Replace(long, "theirs", "theirs"+strings.Repeat("é", maxPolicy+1-len(short.Text)), 1))
	var many []string
	for i := range maxRules - len(retention(7).Rules) + 1 {
		many = append(many, rule(10+i, tagged(fmt.Sprintf("v%d", i))))
	}
	for name, tc := range map[string]struct {
		existing string
		wanted   Policy
		want     string
	}{
		"no days":         {"", retention(0), "countNumber 0 is below 1"},
		"nothing wanted":  {"", Policy{}, "no rules"},
		"foreign wanted":  {"", foreign, `does not start with "slipway: "`},
		"twice wanted":    {"", twice, "used twice"},
		"no JSON":         {"{", retention(7), "reading the existing"},
		"no priority":     {`{"rules":[{}]}`, retention(7), "rulePriority 0"},
		"null":            {`{"rules":[null]}`, retention(7), "rulePriority 0"},
		"any not last":    {policyOf(rule(1, anyImage), rule(2, untagged)), retention(7), "not the highest"},
		"two any":         {policyOf(rule(1, anyImage), rule(2, anyImage)), retention(7), "two rules"},
		"same number":     {policyOf(rule(1, untagged), rule(1, tagged("a"))), retention(7), "used twice"},
		"unknown status":  {policyOf(rule(1, `"tagStatus":"some"`)), retention(7), `unknown tagStatus "some"`},
		"tagged, no tags": {policyOf(rule(1, `"tagStatus":"tagged"`)), retention(7), "without tagPatternList"},
		"any with tags":   {policyOf(rule(1, strings.Replace(tagged("a"), "tagged", "any", 1))), retention(7), "any with tagPatternList"},
		"too long":        {long, retention(7), "30721 characters, 6 rules"},
		"too many":        {policyOf(many...), retention(7), "51 rules"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Merge(tc.existing, tc.wanted, false)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if is := errors.Is(err, ErrTooLarge); is != strings.HasPrefix(name, "too ") {
				t.Errorf("errors.Is ErrPolicyTooLarge = %v", is)
			}
		})
	}
}

func TestMergeReplacesTheUnreadable(t *testing.T) {
	t.Parallel()
	for _, existing := range []string{"{", `{"rules":[null]}`, policyOf(rule(1, anyImage), rule(2, untagged))} {
		got, err := Merge(existing, retention(7), true)
		if err != nil || !got.Changed || got.Text != policyText(t, retention(7)) {
			t.Errorf("%s: got %+v, %v, want a change to Slipway's policy alone", existing, got, err)
		}
	}
}

func TestMergeReplaceLeavesOursAlone(t *testing.T) {
	t.Parallel()
	ours := policyText(t, retention(7))
	got, err := Merge(ours, retention(7), true)
	if err != nil || got.Changed || len(got.Dropped) != 0 {
		t.Errorf("got %+v, %v, want no change", got, err)
	}
}

// checkMerged holds for every policy that Merge lets through.
func checkMerged(t *testing.T, existing string, got Outcome) {
	t.Helper()
	before, err := parsePolicy(existing)
	if err != nil {
		t.Fatalf("merged with a policy that cannot be read: %v", err)
	}
	after, err := parsePolicy(got.Text)
	if err != nil {
		t.Fatalf("ECR would refuse %s: %v", got.Text, err)
	}
	texts := map[string]bool{}
	protects, firstTagged := 0, math.MaxInt
	for _, r := range after {
		texts[string(r.raw)] = true
		switch {
		case r.Own() && r.Selection.TagStatus == statusTagged:
			protects = max(protects, r.Priority)
		case r.Selection.TagStatus == statusTagged:
			firstTagged = min(firstTagged, r.Priority)
		}
	}
	foreign := 0
	for _, r := range before {
		if r.Own() {
			continue
		}
		if foreign++; !texts[string(r.raw)] {
			t.Fatalf("lost or changed %s in %s", r.raw, got.Text)
		}
	}
	if len(got.Kept) != foreign || len(after) != foreign+len(retention(7).Rules) {
		t.Fatalf("kept %d of %d rules: %s", len(got.Kept), foreign, got.Text)
	}
	if protects > firstTagged {
		t.Fatalf("a rule of theirs comes before a protecting one: %s", got.Text)
	}
	if !got.Changed && got.Text != existing {
		t.Fatalf("unchanged, yet %s became %s", existing, got.Text)
	}
	again, err := Merge(got.Text, retention(7), false)
	if err != nil || again.Changed || again.Text != got.Text {
		t.Fatalf("merging %s again: %+v, %v", got.Text, again, err)
	}
}

func FuzzMerge(f *testing.F) {
	for _, s := range []string{
		"", "{", `{"rules":[]}`, `{"rules":[null]}`, policyText(f, retention(7)), policyText(f, retention(3)),
		policyOf(rule(1, untagged), rule(5, tagged("v*")), rule(9, prefixed("w"))),
		policyOf(rule(1, untagged), rule(100, anyImage)),
		policyOf(rule(2147483647, tagged("latest", "*"))),
		policyOf(strings.Replace(rule(4, tagged("<&>")), "theirs", "slipway: mine", 1), rule(8, tagged("<&>"))),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, existing string) {
		replaced, err := Merge(existing, retention(7), true)
		if err != nil || len(replaced.Kept) != 0 {
			t.Fatalf("replacing %q: %+v, %v", existing, replaced, err)
		}
		if rules, err := parsePolicy(replaced.Text); err != nil || len(rules) != 5 {
			t.Fatalf("replacing %q made %s: %v", existing, replaced.Text, err)
		}
		got, err := Merge(existing, retention(7), false)
		if err == nil {
			checkMerged(t, existing, got)
		} else if got.Text != "" || got.Changed {
			t.Fatalf("%q: an outcome %+v beside the error %v", existing, got, err)
		}
	})
}
