package revisions

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"slipway/internal/testkit"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/manifests"
)

const day = 24 * time.Hour

// policyText is a policy with rules, numbered in their order.
func policyText(t *testing.T, rules ...lifecycle.Rule) string {
	t.Helper()
	for i := range rules {
		rules[i].Priority = i + 1
	}
	text, err := json.Marshal(lifecycle.Policy{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func expireRule(status string, tags []string, countType string, number int) lifecycle.Rule {
	s := lifecycle.Selection{TagStatus: status, TagPatterns: tags, CountType: countType, CountNumber: number}
	if countType != "imageCountMoreThan" {
		s.CountUnit = "days"
	}
	return lifecycle.Rule{Selection: s, Action: lifecycle.Action{Type: "expire"}}
}

func mergedText(t *testing.T, foreign string, days int) string {
	t.Helper()
	outcome, err := lifecycle.Merge(foreign, retentionPolicy(days), false)
	if err != nil {
		t.Fatal(err)
	}
	return outcome.Text
}

// TestLifecycleAgreesWithECR lets the sandbox apply policies while its clock
// moves: each image is there just before the time told, and gone after it.
func TestLifecycleAgreesWithECR(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	random := rand.New(rand.NewPCG(7, 11))
	statuses := [][]string{{"latest"}, {"h*"}, {"*"}, {"v*", "h1"}}
	for round := range 12 {
		rules := []lifecycle.Rule{}
		for range random.IntN(3) {
			if tags := statuses[random.IntN(len(statuses))]; random.IntN(2) == 0 && tags[0] == "latest" {
				rules = append(rules, expireRule("tagged", tags, "imageCountMoreThan", 1))
			} else {
				rules = append(rules, expireRule("tagged", tags, "sinceImagePushed", 1+random.IntN(9)))
			}
		}
		if random.IntN(2) == 0 {
			rules = append(rules, expireRule("untagged", nil, "sinceImagePushed", 1+random.IntN(9)))
		}
		rules = append(rules, expireRule("any", nil, "sinceImagePushed", 1+random.IntN(9)))
		s.auth = testkit.ECRLogin(t, s.direct(""))
		for _, digest := range s.server.Digests("shop/a") {
			s.delete(digest)
		}
		for _, tags := range [][]string{{"h1", "latest"}, {"h2"}, {"v1"}, {"v2", "h3"}, nil} {
			s.pushOne(0, image(t), tags...)
		}
		text := policyText(t, rules...)
		s.policy(text)
		policies, err := registry.ReadPolicies(t.Context(), s.clients, s.repos)
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
				at, disposition := image.Expiry(policies[ref])
				_, still := now.Image(ref, digest)
				gone := disposition == lifecycle.Expires && now.At.After(at)
				if still == gone {
					t.Errorf("round %d, day %d: %v is there: %v, said %s at %v, now %v, policy %s", round, n, image.Tags, still, disposition, at, now.At, text)
				}
			}
		}
		s.policy("")
	}
}

// policy replaces the lifecycle policy of the first repository.
func (s *registryFixture) policy(text string) {
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

func (s *registryFixture) delete(digest string) {
	s.t.Helper()
	_, err := s.direct("").BatchDeleteImage(s.t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: aws.String(s.repos[0].Name), ImageIds: manifests.IDs([]string{digest})})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestRevisionExpiry(t *testing.T) {
	t.Parallel()
	a, b := registry.Ref{Name: "a"}, registry.Ref{Name: "b"}
	pushed := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	seven, three := lifecycle.Parse(mergedText(t, "", 7)), lifecycle.Parse(mergedText(t, "", 3))
	pulled := lifecycle.Parse(policyText(t, expireRule("any", nil, "sinceImagePulled", 3)))
	for name, c := range map[string]struct {
		policies    map[registry.Ref]lifecycle.Policy
		tags        []string // of the image in b
		want        time.Time
		disposition lifecycle.Disposition
	}{
		"the earliest":        {map[registry.Ref]lifecycle.Policy{a: seven, b: three}, []string{"h"}, pushed.Add(3 * day), lifecycle.Expires},
		"one protected":       {map[registry.Ref]lifecycle.Policy{a: seven, b: three}, []string{"h", registry.TagLatest}, pushed.Add(7 * day), lifecycle.Expires},
		"one without policy":  {map[registry.Ref]lifecycle.Policy{a: seven}, []string{"h"}, pushed.Add(7 * day), lifecycle.Expires},
		"none":                {nil, []string{"h"}, time.Time{}, lifecycle.Stays},
		"one unknown":         {map[registry.Ref]lifecycle.Policy{a: seven, b: pulled}, []string{"h"}, pushed.Add(7 * day), lifecycle.Unknown},
		"nothing but unknown": {map[registry.Ref]lifecycle.Policy{b: pulled}, []string{"h"}, time.Time{}, lifecycle.Unknown},
	} {
		r := Revision{Images: map[registry.Ref]ImageDetail{a: {Tags: []string{"h"}, Pushed: pushed}, b: {Tags: c.tags, Pushed: pushed}}}
		if at, disposition := r.Expiry(c.policies); !at.Equal(c.want) || disposition != c.disposition {
			t.Errorf("%s: %s at %v, want %s at %v", name, disposition, at, c.disposition, c.want)
		}
	}
}
