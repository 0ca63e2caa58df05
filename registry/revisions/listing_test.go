package revisions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/internal/testkit"
	"slipway/registry"
	"slipway/registry/manifests"
)

func (s *registryFixture) list() *Listing {
	s.t.Helper()
	l, err := List(s.t.Context(), s.clients, s.repos)
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// brief is a revision in words.
func (r Revision) brief() string {
	words := []string{r.Name}
	for _, repo := range r.Missing {
		words = append(words, "-"+repo.Name)
	}
	for _, repo := range r.Archived {
		words = append(words, "archived:"+repo.Name)
	}
	if r.Latest {
		words = append(words, registry.TagLatest)
	}
	if r.Deployed {
		words = append(words, registry.TagDeployed)
	}
	if r.Ready() {
		words = append(words, "ready")
	}
	return strings.Join(words, " ")
}

func briefs(revisions []Revision) []string {
	var out []string
	for _, r := range revisions {
		out = append(out, r.brief())
	}
	return out
}

func TestRevisions(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	h := s.history("one", "two")
	// In three only b is new: deployed points to b alone, a and c are the same
	// images.
	three := slices.Clone(h["two"])
	three[1] = s.pushOne(1, image(t))
	p := s.publication("three", three)
	p.Images[0].Extra = []string{"v1.0"}
	s.published(p)
	s.server.Advance(time.Hour)
	s.pushOne(2, image(t), "partial")
	s.pushOne(2, image(t)) // untagged
	if err := s.server.Archive("shop/b", h["one"][1]); err != nil {
		t.Fatal(err)
	}
	s.server.ResetCalls()
	l := s.list()
	testkit.WantECRCalls(t, s.server, "DescribeImages", 3)
	skip := func(ref registry.Ref, tag string) bool { return ref.Name == "shop/a" && tag == "v1.0" }
	// Every image of two but b's is latest's: what latest left is two.
	want := []string{"partial -shop/a -shop/b", "three latest ready", "two deployed ready", "one archived:shop/b"}
	if got := briefs(l.Revisions(skip)); !slices.Equal(got, want) {
		t.Errorf("revisions %q, want %q", got, want)
	}
	if got := briefs(l.Revisions(nil)); !slices.Contains(got, "v1.0 -shop/b -shop/c latest") {
		t.Errorf("nothing skipped: %q", got)
	}
	revision := l.Revisions(skip)[1]
	ref := s.repos[1].Ref
	image := revision.Images[ref]
	if image.Digest != three[1] || image.Size <= 0 || revision.Size <= image.Size || !slices.Equal(image.Tags, []string{registry.TagLatest, "three"}) {
		t.Errorf("an image of three: %+v, the size of all is %d", image, revision.Size)
	}
	if !revision.Pushed.Equal(image.Pushed) || l.At.Sub(revision.Pushed) < time.Hour-time.Second || l.At.Sub(revision.Pushed) > 2*time.Hour {
		t.Errorf("pushed %v, of b %v, listed at %v", revision.Pushed, image.Pushed, l.At)
	}
	if i, ok := l.Tagged(ref, registry.TagLatest); !ok || i.Digest != three[1] {
		t.Errorf("latest of b is %+v, %v", i, ok)
	}
	if _, ok := l.Tagged(ref, "partial"); ok {
		t.Error("b has no partial")
	}
	if got := l.NamesOf(s.repos[0].Ref, three[0]); !slices.Equal(got, []string{"three", "two", "v1.0"}) {
		t.Errorf("names of a: %v, want three, two, v1.0", got)
	}
	for _, c := range []struct{ digests, want []string }{
		{h["two"], []string{"two"}},
		{[]string{three[0], "", three[2]}, []string{"three", "two"}},
		{[]string{h["one"][0], three[1], three[2]}, nil},
		{[]string{"", "", ""}, nil},
	} {
		if got := l.Common(s.running(c.digests)); !slices.Equal(got, c.want) {
			t.Errorf("common names %v, want %v", got, c.want)
		}
	}
}

// TestRevisionsAfterARollback has all images of a revision both latest and
// deployed.
func TestRevisionsAfterARollback(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two")
	s.promoted("one", s.running(h["two"]))
	want := []string{"two deployed ready", "one latest ready"}
	if got := briefs(s.list().Revisions(nil)); !slices.Equal(got, want) {
		t.Errorf("revisions %q, want %q", got, want)
	}
	// What one did not change in a does not make it what ran before.
	s.move(0, registry.TagPrevious, h["one"][0])
	want = []string{"two ready", "one latest ready"}
	if got := briefs(s.list().Revisions(nil)); !slices.Equal(got, want) {
		t.Errorf("revisions %q, want %q", got, want)
	}
	s.move(1, registry.TagPrevious, h["one"][1])
	want = []string{"two ready", "one latest deployed ready"}
	if got := briefs(s.list().Revisions(nil)); !slices.Equal(got, want) {
		t.Errorf("revisions %q, want %q", got, want)
	}
}

// pagedLister answers one image a page.
type pagedLister struct {
	digests []string
	asked   []*ecr.DescribeImagesInput
}

func (p *pagedLister) DescribeImages(_ context.Context, in *ecr.DescribeImagesInput, _ ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error) {
	p.asked = append(p.asked, in)
	n := slices.Index(p.digests, aws.ToString(in.NextToken)) + 1
	out := &ecr.DescribeImagesOutput{ImageDetails: []types.ImageDetail{{ImageDigest: &p.digests[n]}}}
	if n+1 < len(p.digests) {
		out.NextToken = &p.digests[n]
	}
	return out, nil
}

func TestListPages(t *testing.T) {
	t.Parallel()
	p := &pagedLister{digests: []string{"sha256:1", "sha256:2", "sha256:3"}}
	images, _, err := manifests.List(t.Context(), p, registry.Repository{Ref: registry.Ref{Account: testkit.HomeAccount, Name: "shop/a"}})
	var got []string
	for _, i := range images {
		got = append(got, *i.ImageDigest)
	}
	if err != nil || !slices.Equal(got, p.digests) || len(p.asked) != 3 {
		t.Errorf("listed %v with %d calls, %v", got, len(p.asked), err)
	}
	for _, in := range p.asked {
		if aws.ToInt32(in.MaxResults) != 1000 || *in.RepositoryName != "shop/a" || *in.RegistryId != testkit.HomeAccount {
			t.Errorf("asked for %+v", in)
		}
	}
}

func TestListReadsIndexes(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	shared := image(t)
	old, children := s.pushIndexOf(0, []v1.Image{shared, image(t)}, "old")
	s.server.Advance(time.Hour)
	next, nextChildren := s.pushIndexOf(0, []v1.Image{shared, image(t)}, "next", registry.TagLatest)
	b := s.pushOne(1, image(t), "old", "next")
	ref := s.repos[0].Ref
	l := s.list()
	if got := l.NamesOf(ref, children[0]); len(got) != 0 {
		t.Errorf("before the indexes were read: %v", got)
	}
	s.server.ResetCalls()
	for _, asked := range []map[registry.Ref][]string{nil, {ref: {old}, s.repos[1].Ref: {b}}, {ref: {"sha256:0"}}} {
		if err := l.ReadIndexes(t.Context(), s.clients, asked); err != nil {
			t.Fatal(err)
		}
	}
	testkit.WantECRCalls(t, s.server, "BatchGetImage", 0)
	if err := l.ReadIndexes(t.Context(), s.clients, map[registry.Ref][]string{ref: {children[0]}, s.repos[1].Ref: {b}}); err != nil {
		t.Fatal(err)
	}
	testkit.WantECRCalls(t, s.server, "BatchGetImage", 1)
	for digest, want := range map[string]string{children[0]: "next,old", children[1]: "old", nextChildren[1]: "next", old: "old"} {
		if got := strings.Join(l.NamesOf(ref, digest), ","); got != want {
			t.Errorf("names of %s: %s, want %s", digest, got, want)
		}
	}
	for digest, want := range map[string]string{children[0]: next, children[1]: old, old: old} {
		if got, ok := l.Image(ref, digest); !ok || got.Digest != want {
			t.Errorf("image of %s is %s, want %s", digest, got.Digest, want)
		}
	}
	// latest decides between the two, whichever is newer.
	s.move(0, registry.TagLatest, old)
	l = s.list()
	if err := l.ReadIndexes(t.Context(), s.clients, map[registry.Ref][]string{ref: {children[0]}}); err != nil {
		t.Fatal(err)
	}
	if got, _ := l.Image(ref, children[0]); got.Digest != old {
		t.Errorf("image of %s is %s, want latest's %s", children[0], got.Digest, old)
	}
	if got := l.Common(s.running([]string{children[1], b})); !slices.Equal(got, []string{"old"}) {
		t.Errorf("common names %v, want old", got)
	}
}

func TestListFails(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	s.repos[1].Name = "shop/gone"
	_, err := List(t.Context(), s.clients, s.repos)
	var missing *types.RepositoryNotFoundException
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "listing the images of shop/gone") {
		t.Errorf("got %v, want RepositoryNotFoundException of shop/gone", err)
	}
	_, err = registry.ReadPolicies(t.Context(), s.clients, s.repos)
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "reading the lifecycle policy of shop/gone") {
		t.Errorf("got %v, want RepositoryNotFoundException of shop/gone", err)
	}
}
