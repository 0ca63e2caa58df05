package lifecycle

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

const day = 24 * time.Hour

// rulesText is a document with rules, numbered in their order.
func rulesText(t *testing.T, rules ...Rule) string {
	t.Helper()
	for i := range rules {
		rules[i].Priority = i + 1
	}
	text, err := json.Marshal(Policy{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func expireRule(status string, tags []string, countType string, number int) Rule {
	s := Selection{TagStatus: status, TagPatterns: tags, CountType: countType, CountNumber: number}
	if countType != countMoreThan {
		s.CountUnit = unitDays
	}
	return Rule{Selection: s, Action: Action{Type: actionExpire}}
}

func own(t *testing.T, foreign string, days int) string {
	t.Helper()
	outcome, err := Merge(foreign, retention(days), false)
	if err != nil {
		t.Fatal(err)
	}
	return outcome.Text
}

func TestPolicyExpiry(t *testing.T) {
	t.Parallel()
	pushed := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	archived := pushed.Add(30 * day)
	untagged := `{"rules":[{"rulePriority":50,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}`
	releases := `{"rules":[{"rulePriority":50,"selection":{"tagStatus":"tagged","tagPrefixList":["v"],"countType":"imageCountMoreThan","countNumber":5},"action":{"type":"expire"}}]}`
	toArchive := expireRule(statusAny, nil, countPushed, 3)
	toArchive.Action.Type = actionTransition
	fromArchive := expireRule(statusTagged, []string{"*"}, countTransitioned, 90)
	fromArchive.Selection.StorageClass = classArchive
	both := expireRule(statusTagged, []string{"h*", "stable"}, countPushed, 2)
	hours := expireRule(statusAny, nil, countPushed, 3)
	hours.Selection.CountUnit = "hours"
	future := expireRule(statusAny, nil, countPushed, 3)
	future.Action.Type = "compress"
	class := expireRule(statusUntagged, nil, countPushed, 3)
	class.Selection.StorageClass = "glacier"
	for name, c := range map[string]struct {
		policy  string
		tags    []string
		archive bool
		days    int // after the push; 0 for no time
		want    Disposition
	}{
		"no policy":                      {"", []string{"h1"}, false, 0, Stays},
		"ours":                           {own(t, "", 7), []string{"h1"}, false, 7, Expires},
		"ours, untagged":                 {own(t, "", 7), nil, false, 7, Expires},
		"ours, latest":                   {own(t, "", 7), []string{"h1", "latest"}, false, 0, Stays},
		"ours, deployed":                 {own(t, "", 7), []string{"deployed"}, false, 0, Stays},
		"ours, like latest":              {own(t, "", 7), []string{"latest2"}, false, 7, Expires},
		"ours, archived":                 {own(t, "", 7), []string{"h1"}, true, 0, Stays},
		"beside untagged, tagged":        {own(t, untagged, 7), []string{"h1"}, false, 7, Expires},
		"beside untagged, untagged":      {own(t, untagged, 7), nil, false, 1, Expires},
		"beside releases, a hash":        {own(t, releases, 7), []string{"h1"}, false, 7, Expires},
		"beside releases, a release":     {own(t, releases, 7), []string{"h1", "v1.0"}, false, 0, Unknown},
		"beside releases, both":          {own(t, releases, 7), []string{"latest", "v1.0"}, false, 0, Stays},
		"pulled":                         {rulesText(t, expireRule(statusAny, nil, "sinceImagePulled", 3)), []string{"h1"}, false, 0, Unknown},
		"count of any":                   {rulesText(t, expireRule(statusAny, nil, countMoreThan, 10)), []string{"h1"}, false, 0, Unknown},
		"to the archive":                 {rulesText(t, toArchive, fromArchive), []string{"h1"}, false, 3, Archives},
		"from the archive":               {rulesText(t, toArchive, fromArchive), []string{"h1"}, true, 120, Expires},
		"all entries must match":         {rulesText(t, both), []string{"h1"}, false, 0, Stays},
		"all entries match":              {rulesText(t, both), []string{"h1", "stable"}, false, 2, Expires},
		"lower number, not yet its turn": {rulesText(t, expireRule(statusTagged, []string{"h*"}, countPushed, 30), expireRule(statusAny, nil, countPushed, 7)), []string{"h1"}, false, 30, Expires},
		"a unit of the future":           {rulesText(t, hours), []string{"h1"}, false, 0, Unknown},
		"an action of the future":        {rulesText(t, future), []string{"h1"}, false, 0, Unknown},
		"a class of the future":          {rulesText(t, class, expireRule(statusAny, nil, countPushed, 7)), []string{"h1"}, false, 0, Unknown},
		"not JSON":                       {"{", []string{"h1"}, false, 0, Unknown},
		"a status of the future":         {rulesText(t, expireRule("signed", nil, countPushed, 7)), []string{"h1"}, false, 0, Unknown},
	} {
		image := Image{Tags: c.tags, Pushed: pushed, Archived: c.archive}
		if c.archive {
			image.ArchivedAt = archived
		}
		want := time.Time{}
		if c.days > 0 {
			want = pushed.Add(time.Duration(c.days) * day)
		}
		if at, got := Parse(c.policy).Expiry(image); !at.Equal(want) || got != c.want {
			t.Errorf("%s: %s at %v, want %s at %v", name, got, at, c.want, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("", "h1", false)
	f.Add(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["h*"],"countType":"sinceImagePushed","countUnit":"days","countNumber":3},"action":{"type":"expire"}}]}`, "h1", false)
	f.Add(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":9000000000},"action":{"type":"transition"}}]}`, "", true)
	f.Add(`{"rules":[{}]}`, "latest", false)
	pushed := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text, tag string, archived bool) {
		image := Image{Pushed: pushed, Archived: archived, ArchivedAt: pushed}
		if tag != "" {
			image.Tags = []string{tag}
		}
		at, disposition := Parse(text).Expiry(image)
		switch {
		case !slices.Contains([]Disposition{Stays, Expires, Archives, Unknown}, disposition):
			t.Errorf("disposition %q", disposition)
		case at.IsZero() != (disposition == Stays || disposition == Unknown), !at.IsZero() && !at.After(pushed):
			t.Errorf("%s at %v", disposition, at)
		}
	})
}

func ExamplePolicy_Expiry() {
	document, err := json.Marshal(retention(7))
	if err != nil {
		panic(err)
	}
	policy := Parse(string(document))
	pushed := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, tags := range [][]string{{"1a2b3c4d5e6f"}, {"1a2b3c4d5e6f", "latest"}} {
		at, disposition := policy.Expiry(Image{Tags: tags, Pushed: pushed})
		if disposition == Expires {
			fmt.Println(tags, disposition, at.Format(time.DateOnly))
			continue
		}
		fmt.Println(tags, disposition)
	}
	// Output:
	// [1a2b3c4d5e6f] expires 2026-11-08
	// [1a2b3c4d5e6f latest] stays
}

func ExampleMerge() {
	theirs := `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`
	outcome, err := Merge(theirs, New(7, "latest", "deployed"), false)
	fmt.Println(outcome.Changed, err, "keeping", outcome.Kept)

	again, err := Merge(outcome.Text, New(7, "latest", "deployed"), false)
	fmt.Println(again.Changed, err)
	// Output:
	// true <nil> keeping [rule 1 (untagged, imageCountMoreThan 1)]
	// false <nil>
}
