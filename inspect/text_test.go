package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"slipway/build/inputs"
	"slipway/internal/golden"
	"slipway/registry/admission"
	"slipway/registry/lifecycle"
	"slipway/registry/record"
	"slipway/rollout/history"
)

// at is the time of the listings.
var at = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) *time.Time {
	t := at.Add(-d)
	return &t
}

func sum(text string) string { return digest.FromString(text).String() }

// knownRevision has a service with all that can be known, and others of which
// something is not.
func knownRevision() Revision {
	return Revision{
		Revision: history.Revision{
			Revision: "1a2b3c4d5e6f", Made: *ago(3 * time.Hour), Pushed: *ago(3 * time.Hour),
			Commit: strings.Repeat("1a2b", 10), Committed: ago(4 * time.Hour), Source: "https://example.com/shop.git",
			Builder: "shop:7", Version: "v1.2.3", Engine: "buildkitd v0.34.2",
			Missing: []string{"shop/gone"}, Expires: ago(-48 * time.Hour), Fate: lifecycle.Expires,
			Latest: true, Services: []string{"live-prod.shop"}, Bytes: 48_200_000,
			Images: []history.Image{{Repository: "host/shop/web", Digest: sum("web")}, {Repository: "host/shop/plain", Digest: sum("plain")}},
			Record: &record.Record{},
		},
		Project: "shop", Started: ago(200 * time.Minute), repositories: 3, at: at,
		Components: []Component{
			{
				Service: "web", Repository: "host/shop/web", Digest: sum("web"), Pushed: ago(3 * time.Hour), Expires: ago(-48 * time.Hour), Fate: lifecycle.Expires, Bytes: 40_000_000,
				Details: Details{
					Platforms: []Platform{
						{Platform: "linux/amd64", Digest: sum("amd64"), Scan: admission.Scan{Status: "complete", Findings: map[string]int32{"high": 1, "low": 2, "medium": 0}}},
						{Platform: "linux/arm64", Digest: sum("arm64"), Scan: admission.Scan{Status: "failed", Reason: "no \x1b[31mlayers"}},
					},
					BaseImages: []inputs.BaseImage{{Name: "alpine:3", Digest: sum("alpine")}, {Name: "python:3.12"}},
					Signatures: []admission.Signing{{Profile: "arn:one", Status: "complete"}, {Profile: "arn:two", Status: "failed", Reason: "AccessDenied"}},
				},
			},
			{
				Repository: "host/shop/plain", Digest: sum("plain"), Pushed: ago(time.Hour), Fate: lifecycle.Stays, Bytes: 548,
				Details: Details{
					Platforms:  []Platform{{Digest: sum("plain"), Scan: admission.Scan{Status: admission.StatusNone}}},
					BaseImages: []inputs.BaseImage{}, Signatures: []admission.Signing{},
				},
			},
			{Service: "old", Repository: "host/shop/old", Digest: sum("old"), Pushed: ago(time.Hour), Fate: lifecycle.Unknown, Archived: true},
			{Service: "gone", Repository: "shop/gone", Digest: sum("gone"), Fate: lifecycle.Unknown, Missing: true},
		},
	}
}

func knownDiff() Diff {
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprintf("src/%02d", i)
	}
	return Diff{
		From: Side{Revision: "one", Made: *ago(48 * time.Hour)},
		To:   Side{Revision: "second", Made: *ago(time.Hour), Commit: strings.Repeat("1a2b", 10), Committed: ago(time.Hour), Builder: "shop:7"},
		Components: []Difference{
			{Service: "web", Repository: "host/shop/web", State: Changed, From: sum("a"), To: sum("b"), Changed: []string{"src/a\nb", "base image python:3.12"}, name: "web"},
			{Service: "many", Repository: "host/shop/many", State: Changed, From: sum("a"), To: sum("b"), Changed: many, name: "many"},
			{Service: "again", Repository: "host/shop/again", State: Changed, From: sum("a"), To: sum("b"), Changed: []string{}, name: "again"},
			{Repository: "host/shop/x", State: Changed, From: sum("a"), To: sum("b"), Unknown: "the inputs of one are not known", name: "shop/x"},
			{Service: "plain", Repository: "host/shop/plain", State: Same, From: sum("a"), To: sum("a"), name: "plain"},
			{Service: "new", Repository: "host/shop/new", State: Added, To: sum("b"), name: "new"},
			{Service: "old", Repository: "shop/old", State: Removed, From: sum("a"), name: "old"},
		},
		at: at,
	}
}

// TestDocuments prints a revision and a difference.
func TestDocuments(t *testing.T) {
	t.Parallel()
	revision, diff := knownRevision(), knownDiff()
	var text bytes.Buffer
	if err := revision.Print(&text); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "revision.txt", text.Bytes())
	text.Reset()
	if err := diff.Print(&text); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "diff.txt", text.Bytes())
	diff.Components[1].Changed = diff.Components[1].Changed[:2]
	for name, value := range map[string]any{"revision.json": revision, "diff.json": diff} {
		data, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, name, append(data, '\n'))
	}
}
