package revisions

import (
	"errors"
	"strings"
	"testing"

	"slipway/registry"
)

// stillTags tells the extra tags of a build in one repository.
func stillTags(repo string, tags ...string) func(registry.Ref, string) bool {
	return func(ref registry.Ref, tag string) bool {
		return ref.Name == repo && strings.Contains(" "+strings.Join(tags, " ")+" ", " "+tag+" ")
	}
}

// TestFindRevisionSkips has extra tags on the images of a revision, which begin
// as a revision does or sort behind it.
func TestFindRevisionSkips(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	h := s.history("1a2b3c", "77aa")
	for _, tag := range []string{"stable", "1a-stable", "zz"} {
		s.move(0, tag, h["1a2b3c"][0])
	}
	skip := stillTags("shop/a", "stable", "1a-stable", "zz")
	for _, tag := range []string{"stable", "zz"} {
		_, err := Find(t.Context(), s.clients, s.repos, tag, nil, skip)
		var refused *NameError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "build.tags") {
			t.Errorf("%s: got %v, want a *RevisionNameError", tag, err)
		}
	}
	if found, err := Find(t.Context(), s.clients, s.repos, "1a", nil, skip); err != nil || found.Name != "1a2b3c" {
		t.Errorf("1a finds %q, %v", found.Name, err)
	}
	if found, err := Find(t.Context(), s.clients, s.repos, "zz", nil, stillTags("shop/b", "zz")); err != nil || found.Name != "zz" {
		t.Errorf("the extra tag of another repository: %q, %v", found.Name, err)
	}
	_, err := Find(t.Context(), s.clients, s.repos, "sta", nil, skip)
	var unknown *UnknownError
	if !errors.As(err, &unknown) {
		t.Fatalf("sta: got %v, want an *UnknownRevisionError", err)
	}
	for _, r := range unknown.Newest {
		if skip(s.repos[0].Ref, r.Name) {
			t.Errorf("suggests %s", r.Name)
		}
	}
}

// TestFindDigestsSkips names a revision after its hash, not after an extra tag,
// be the digest the image's own or that of a manifest of an index.
func TestFindDigestsSkips(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	s.mutable()
	skip := stillTags("shop/a", "zz")
	one := s.push(s.images(), "one", "zz")
	index, children := s.pushIndex(0, "two", "zz")
	b := s.pushOne(1, image(t), "two", "zz")
	bare := s.push(s.images(), "yy")
	for _, c := range []struct {
		digests []string
		skip    func(registry.Ref, string) bool
		want    string
	}{
		{one, skip, "one"},
		{[]string{children[1], b}, skip, "two"},
		{[]string{index, b}, nil, "zz"},
		{bare, stillTags("shop/b", "yy"), ""},
	} {
		found, err := FindDigests(t.Context(), s.clients, s.repos, s.running(c.digests), nil, c.skip)
		if err != nil || found.Name != c.want {
			t.Errorf("found %q, %v, want %q", found.Name, err, c.want)
		}
	}
}

// TestPromoteConvergesOnNoExtraTag lets somebody move latest to an image of two
// tags, of which one names no revision.
func TestPromoteConvergesOnNoExtraTag(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two")
	for i := range s.repos {
		s.move(i, "zz", h["two"][i])
	}
	found, err := Find(t.Context(), s.clients, s.repos, "one", nil, func(_ registry.Ref, tag string) bool { return tag == "zz" })
	if err != nil {
		t.Fatal(err)
	}
	s.transport.set(func(c ecrCall) failure {
		if c.action == "DescribeImages" {
			for i := range s.repos {
				s.move(i, registry.TagLatest, h["two"][i])
			}
		}
		return fine
	})
	out, err := Promote(t.Context(), s.clients, Promotion{Snapshot: found.Snapshot, Name: found.Name, Images: found.Images})
	if err != nil || out.SupersededBy != "two" {
		t.Errorf("overtaken by %q, %v, want two", out.SupersededBy, err)
	}
}
