package registry

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

const day = 24 * time.Hour

// rulesText is a document with rules, numbered in their order.
func rulesText(t *testing.T, rules ...Rule) string {
	t.Helper()
	for i := range rules {
		rules[i].Priority = i + 1
	}
	text, err := json.Marshal(Document{Rules: rules})
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
	outcome, err := Merge(foreign, Policy(days), false)
	if err != nil {
		t.Fatal(err)
	}
	return outcome.Text
}

func TestLifecycleAt(t *testing.T) {
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
		image := ImageDetail{Tags: c.tags, Pushed: pushed, Archived: c.archive}
		if c.archive {
			image.ArchivedAt = archived
		}
		want := time.Time{}
		if c.days > 0 {
			want = pushed.Add(time.Duration(c.days) * day)
		}
		if at, got := ParseLifecycle(c.policy).At(image); !at.Equal(want) || got != c.want {
			t.Errorf("%s: %s at %v, want %s at %v", name, got, at, c.want, want)
		}
	}
}

// TestLifecycleAgreesWithECR lets the sandbox apply policies while its clock moves: each
// image is there just before the time told, and gone after it.
func TestLifecycleAgreesWithECR(t *testing.T) {
	t.Parallel()
	s := newStage(t, "shop/a")
	random := rand.New(rand.NewPCG(7, 11))
	statuses := [][]string{{"latest"}, {"h*"}, {"*"}, {"v*", "h1"}}
	for round := range 12 {
		rules := []Rule{}
		for range random.IntN(3) {
			if tags := statuses[random.IntN(len(statuses))]; random.IntN(2) == 0 && tags[0] == "latest" {
				rules = append(rules, expireRule(statusTagged, tags, countMoreThan, 1))
			} else {
				rules = append(rules, expireRule(statusTagged, tags, countPushed, 1+random.IntN(9)))
			}
		}
		if random.IntN(2) == 0 {
			rules = append(rules, expireRule(statusUntagged, nil, countPushed, 1+random.IntN(9)))
		}
		rules = append(rules, expireRule(statusAny, nil, countPushed, 1+random.IntN(9)))
		s.auth = freshAuth(t, s.direct(""))
		for _, digest := range s.server.Digests("shop/a") {
			s.delete(digest)
		}
		for _, tags := range [][]string{{"h1", "latest"}, {"h2"}, {"v1"}, {"v2", "h3"}, nil} {
			s.pushOne(0, image(t), tags...)
		}
		text := rulesText(t, rules...)
		s.policy(text)
		policies, err := Lifecycles(t.Context(), s.clients, s.repos)
		if err != nil {
			t.Fatal(err)
		}
		ref := s.repos[0].Ref
		s.server.Advance(day / 2) // policies are applied far from where anything changes
		for n := range 10 {
			left := map[string]bool{}
			for _, d := range s.server.Digests("shop/a") {
				left[d] = true
			}
			listing := s.list()
			s.server.Advance(day)
			now := s.list()
			for digest := range left {
				image, _ := listing.Image(ref, digest)
				at, verdict := policies[ref].At(image)
				_, still := now.Image(ref, digest)
				gone := verdict == Expires && now.At.After(at)
				if still == gone {
					t.Errorf("round %d, day %d: %v is there: %v, said %s at %v, now %v, policy %s", round, n, image.Tags, still, verdict, at, now.At, text)
				}
			}
		}
		s.policy("")
	}
}

// policy replaces the lifecycle policy of the first repository.
func (s *stage) policy(text string) {
	s.t.Helper()
	var err error
	if text == "" {
		_, err = s.direct("").DeleteLifecyclePolicy(s.t.Context(), &ecr.DeleteLifecyclePolicyInput{RepositoryName: aws.String(s.repos[0].Name)})
	} else {
		_, err = s.direct("").PutLifecyclePolicy(s.t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: aws.String(s.repos[0].Name), LifecyclePolicyText: aws.String(text)})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) delete(digest string) {
	s.t.Helper()
	_, err := s.direct("").BatchDeleteImage(s.t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: aws.String(s.repos[0].Name), ImageIds: imageIDs([]string{digest})})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestRevisionExpiry(t *testing.T) {
	t.Parallel()
	a, b := Ref{Name: "a"}, Ref{Name: "b"}
	pushed := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	seven, three := ParseLifecycle(own(t, "", 7)), ParseLifecycle(own(t, "", 3))
	pulled := ParseLifecycle(rulesText(t, expireRule(statusAny, nil, "sinceImagePulled", 3)))
	for name, c := range map[string]struct {
		policies map[Ref]Lifecycle
		tags     []string // of the image in b
		want     time.Time
		verdict  Disposition
	}{
		"the earliest":        {map[Ref]Lifecycle{a: seven, b: three}, []string{"h"}, pushed.Add(3 * day), Expires},
		"one protected":       {map[Ref]Lifecycle{a: seven, b: three}, []string{"h", TagLatest}, pushed.Add(7 * day), Expires},
		"one without policy":  {map[Ref]Lifecycle{a: seven}, []string{"h"}, pushed.Add(7 * day), Expires},
		"none":                {nil, []string{"h"}, time.Time{}, Stays},
		"one unknown":         {map[Ref]Lifecycle{a: seven, b: pulled}, []string{"h"}, pushed.Add(7 * day), Unknown},
		"nothing but unknown": {map[Ref]Lifecycle{b: pulled}, []string{"h"}, time.Time{}, Unknown},
	} {
		r := Revision{Images: map[Ref]ImageDetail{a: {Tags: []string{"h"}, Pushed: pushed}, b: {Tags: c.tags, Pushed: pushed}}}
		if at, verdict := r.Expiry(c.policies); !at.Equal(c.want) || verdict != c.verdict {
			t.Errorf("%s: %s at %v, want %s at %v", name, verdict, at, c.verdict, c.want)
		}
	}
}

func FuzzParseLifecycle(f *testing.F) {
	f.Add("", "h1", false)
	f.Add(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["h*"],"countType":"sinceImagePushed","countUnit":"days","countNumber":3},"action":{"type":"expire"}}]}`, "h1", false)
	f.Add(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":9000000000},"action":{"type":"transition"}}]}`, "", true)
	f.Add(`{"rules":[{}]}`, "latest", false)
	pushed := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text, tag string, archived bool) {
		image := ImageDetail{Pushed: pushed, Archived: archived, ArchivedAt: pushed}
		if tag != "" {
			image.Tags = []string{tag}
		}
		at, verdict := ParseLifecycle(text).At(image)
		switch {
		case !slices.Contains([]Disposition{Stays, Expires, Archives, Unknown}, verdict):
			t.Errorf("verdict %q", verdict)
		case at.IsZero() != (verdict == Stays || verdict == Unknown), !at.IsZero() && !at.After(pushed):
			t.Errorf("%s at %v", verdict, at)
		}
	})
}

func ExampleLifecycle_At() {
	document, err := json.Marshal(Policy(7))
	if err != nil {
		panic(err)
	}
	policy := ParseLifecycle(string(document))
	pushed := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, tags := range [][]string{{"1a2b3c4d5e6f"}, {"1a2b3c4d5e6f", TagLatest}} {
		at, verdict := policy.At(ImageDetail{Tags: tags, Pushed: pushed})
		if verdict == Expires {
			fmt.Println(tags, verdict, at.Format(time.DateOnly))
			continue
		}
		fmt.Println(tags, verdict)
	}
	// Output:
	// [1a2b3c4d5e6f] expires 2026-11-08
	// [1a2b3c4d5e6f latest] stays
}
