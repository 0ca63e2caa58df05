package revisions

import (
	"strings"
	"testing"

	"slipway/internal/testkit"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// TestCheckExtra tells tags that move from build to build from names of
// revisions.
func TestCheckExtra(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	s.mutable()
	still := s.repos[0] // as it was
	for i := range s.repos {
		s.repos[i].Mutability = types.ImageTagMutabilityMutable
	}
	s.pushOne(0, made(t), "1a2b3c4d5e6f", "prod", "20261126")
	s.pushOne(1, made(t), "1a2b3c4d5e6f", "prod")
	s.pushOne(0, made(t), "alone")
	s.pushOne(0, image(t), "foreign", "other")
	s.pushOne(0, made(t), "half", "x")
	s.pushOne(1, made(t), "half", "y")
	s.pushOne(1, made(t), "elsewhere")
	s.pushOne(0, made(t), "elsewhere", "z")
	for _, c := range []struct {
		tag, other string // of shop/b, as in shop/a where it is empty
		want       string
	}{
		{tag: "new"},
		{tag: "prod"},
		{tag: "20261126"},
		{tag: "1a2b3c4d5e6f", want: extraRevision},
		{tag: "alone", want: extraRevision},
		{tag: "foreign", want: extraForeign},
		{tag: "half", want: extraRevision},
		{tag: "elsewhere", other: "prod", want: extraRevision},
	} {
		other := c.other
		if other == "" {
			other = c.tag
		}
		extras := []ExtraTags{{Repository: s.repos[0], Tags: []string{c.tag}, Moves: true}, {Repository: s.repos[1], Tags: []string{other}, Moves: true}}
		got, err := CheckExtra(t.Context(), s.clients, extras, nil, madeBy)
		if err != nil {
			t.Fatal(err)
		}
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) == 0 || got[0].Reason != c.want) {
			t.Errorf("%s: got %v, want %q", c.tag, got, c.want)
		}
		// This build's own work, of a run that was killed.
		got, err = CheckExtra(t.Context(), s.clients, []ExtraTags{{Repository: s.repos[0], Tags: []string{c.tag}}}, []string{c.tag}, madeBy)
		if err != nil || len(got) > 0 {
			t.Errorf("%s as a name of the build: %v, %v", c.tag, got, err)
		}
	}
	got, err := CheckExtra(t.Context(), s.clients, []ExtraTags{{Repository: still, Tags: []string{"prod"}, Moves: true}}, nil, madeBy)
	if err != nil || len(got) != 1 || got[0].Reason != extraStuck || !strings.Contains(got[0].Hint(), "put-image-tag-mutability") {
		t.Errorf("in a repository in which it cannot move: %v, %v", got, err)
	}
	s.server.ResetCalls()
	if _, err := CheckExtra(t.Context(), s.clients, []ExtraTags{{Repository: s.repos[0]}}, nil, madeBy); err != nil {
		t.Error(err)
	}
	testkit.WantECRCalls(t, s.server, "BatchGetImage", 0)
}

func TestLooksLikeHash(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]bool{
		"1a2b3c4": true, "1a2b3c4d5e6f": true, "123456789012": true, "1a2b3c4d5e6f-dirty-0a1b2c3d": true, "1a2b3c4d5e6f.2": true,
		"prod": false, "20261126": false, "v1.2.3": false, "1.4.0": false, "deadbee-x": false, "1a2b3c": false, "build-17": false,
	} {
		if got := looksLikeHash(tag); got != want {
			t.Errorf("looksLikeHash(%q) = %t, want %t", tag, got, want)
		}
	}
}
