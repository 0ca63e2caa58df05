package revisions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/internal/fault"
	"slipway/internal/golden"
	"slipway/internal/testkit"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/tags"
)

func TestFindRevision(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("1a2b3c", "1a2b3c.2", "1a2b3c.10", "1a9999.2", "77aa", "77bb", "8888", "8888-dirty-00", "v1.0")
	for text, want := range map[string]string{
		"1a2b3c":   "1a2b3c",
		"1a2b3c.2": "1a2b3c.2",
		"1a2":      "1a2b3c", // the hash, not its variants
		"1a2b3c.1": "1a2b3c.10",
		"1a9":      "1a9999.2",
		"77b":      "77bb",
		"8888":     "8888",
		"8888-":    "8888-dirty-00",
		"v1.0":     "v1.0",
	} {
		running := h["77aa"]
		found, err := Find(t.Context(), s.clients, s.repos, text, extraDigests(s.running(running)), nil)
		if err != nil || found.Name != want {
			t.Errorf("%s finds %q, %v, want %s", text, found.Name, err, want)
			continue
		}
		for i, image := range found.Images {
			ref := s.repos[i].Ref
			if image.Repository.Ref != ref || image.Digest != h[want][i] {
				t.Errorf("%s: image %d is %s@%s", text, i, image.Repository.Name, image.Digest)
			}
			if latest, _ := found.Snapshot.ByTag(ref, registry.TagLatest); latest.Digest != h["v1.0"][i] || !found.Snapshot.contains(ref, running[i]) {
				t.Errorf("%s: the snapshot lacks latest or what runs", text)
			}
		}
	}
}

func TestFindRevisionCalls(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	s.history("1a2b3c", "77aa")
	twice := append(slices.Clone(s.repos), s.repos...) // two containers of one image
	for text, want := range map[string][2]int{"1a2b3c": {2, 0}, "1a": {4, 2}} {
		s.server.ResetCalls()
		if _, err := Find(t.Context(), s.clients, twice, text, nil, nil); err != nil {
			t.Fatal(err)
		}
		got := testkit.ECRCalls(s.server)
		if got["BatchGetImage"] != want[0] || got["DescribeImages"] != want[1] || len(s.server.Calls()) != want[0]+want[1] {
			t.Errorf("%s: calls %v, want %v", text, got, want)
		}
	}
}

// errorText is an error with its own hint, if it has one. The hints that name
// commands are tested in cmd.
func errorText(err error) string {
	text := fmt.Sprintf("%v\n", err)
	if hint := fault.HintOf(err); hint != "" {
		text += "what to do: " + hint + "\n"
	}
	return text
}

// TestFindRevisionRefuses names each thing in the way, and touches nothing.
func TestFindRevisionRefuses(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b", "shop/c")
	s.history("1a2b3c", "1a2b3d", "1a2b3d.2", "44ff", "5555", "6666", "7777.2", "7777.3")
	s.pushOne(1, image(t), "partial")
	for _, i := range []int{0, 2} {
		digest := s.server.Tags(s.repos[i].Name)["5555"]
		if err := s.server.Archive(s.repos[i].Name, digest); err != nil {
			t.Fatal(err)
		}
	}
	kept := s.server.Tags("shop/b")["44ff"]
	s.policy(policyText(t, retentionPolicy(7).Rules...)) // of shop/a
	before := s.tags()
	var all strings.Builder
	ask := func(text string, want any) {
		t.Helper()
		_, err := Find(t.Context(), s.clients, s.repos, text, nil, nil)
		if err == nil || !errors.As(err, want) {
			t.Fatalf("%q: got %v, want a %T", text, err, want)
		}
		fmt.Fprintf(&all, "> %s\n%s\n", text, errorText(err))
	}
	for _, text := range []string{"", "latest", "deployed", "buildcache", "a b"} {
		ask(text, new(*NameError))
	}
	ask("nothing", new(*UnknownError))
	ask("1a2", new(*AmbiguousError))
	ask("7777", new(*UnknownError)) // its variants are other revisions
	ask("777", new(*AmbiguousError))
	ask("p", new(*IncompleteError))
	ask("partial", new(*IncompleteError))
	ask("5555", new(*ArchivedError))
	ask("55", new(*ArchivedError))
	s.deleteTag(2, "44ff")
	delete(before, "shop/c:44ff")
	ask("44ff", new(*IncompleteError))
	if s.server.Tags("shop/b")["44ff"] != kept {
		t.Error("44ff moved")
	}
	golden.Check(t, "find.golden", []byte(all.String()))
	s.wantState(before)

	empty := newRegistryFixture(t, "shop/a")
	_, err := Find(t.Context(), empty.clients, empty.repos, "1a", nil, nil)
	var unknown *UnknownError
	if !errors.As(err, &unknown) || len(unknown.Newest) != 0 {
		t.Errorf("empty repositories: %v", err)
	}
}

// deleteTag takes a tag away, as a person would.
func (s *registryFixture) deleteTag(repo int, tag string) {
	s.t.Helper()
	c := Change{Repository: s.repos[repo], Tag: tag}
	if err := tags.Remove(s.t.Context(), s.direct(""), c.Repository, c.Tag, c.To, false); err != nil {
		s.t.Fatal(err)
	}
}

func TestIncompleteMayHaveExpired(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	s.pushOne(1, image(t), "1a2b3c")
	for policy, want := range map[string]struct {
		cause       string
		days        int
		disposition lifecycle.Disposition
	}{
		"": {"they have not expired:", 0, lifecycle.Stays},
		policyText(t, retentionPolicy(9).Rules...):                                   {"they may have expired: images expire there 9 days after their push", 9, lifecycle.Expires},
		policyText(t, expireRule("tagged", []string{"1*"}, "imageCountMoreThan", 3)): {"they may have expired", 0, lifecycle.Unknown},
	} {
		s.policyOrNone(policy)
		_, err := Find(t.Context(), s.clients, s.repos, "1a2b3c", nil, nil)
		var incomplete *IncompleteError
		if !errors.As(err, &incomplete) || !strings.HasPrefix(incomplete.Cause(), want.cause) || incomplete.Days != want.days || incomplete.Expiry[s.repos[0].Ref] != want.disposition {
			t.Errorf("%v: %+v, want %+v", err, incomplete, want)
		}
	}
	s.transport.set(nth("GetLifecyclePolicy", 1, refused))
	_, err := Find(t.Context(), s.clients, s.repos, "1a2b3c", nil, nil)
	var incomplete *IncompleteError
	if !errors.As(err, &incomplete) || incomplete.Expiry[s.repos[0].Ref] != lifecycle.Unknown {
		t.Errorf("a policy that may not be read: %v", err)
	}
}

func (s *registryFixture) policyOrNone(text string) {
	s.t.Helper()
	if text != "" || s.server.Policy(s.repos[0].Name) != "" {
		s.policy(text)
	}
}

func TestFindDigests(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	for _, c := range []struct {
		digests []string
		want    string
	}{
		{h["two"], "two"},
		{[]string{h["two"][0], ""}, "two"},
		{[]string{h["two"][0], h["one"][1]}, ""},
	} {
		s.server.ResetCalls()
		found, err := FindDigests(t.Context(), s.clients, s.repos, s.running(c.digests), extraDigests(s.running(h["three"])), nil)
		if err != nil || found.Name != c.want {
			t.Errorf("found %q, %v, want %q", found.Name, err, c.want)
			continue
		}
		n := len(s.running(c.digests))
		if len(found.Images) != n || found.Images[0].Digest != c.digests[0] || !found.Snapshot.contains(s.repos[0].Ref, h["three"][0]) {
			t.Errorf("found %+v", found.Images)
		}
		testkit.WantECRCalls(t, s.server, "BatchGetImage", 2)
		testkit.WantECRCalls(t, s.server, "DescribeImages", n)
	}
	if found, err := FindDigests(t.Context(), s.clients, s.repos, nil, nil, nil); err != nil || found.Name != "" || len(found.Images) != 0 {
		t.Errorf("no digests: %+v, %v", found, err)
	}
}

// TestFindDigestsOfPlatforms finds the indexes that the manifests belong to: of
// those that share one, that of the revision.
func TestFindDigestsOfPlatforms(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	shared := image(t)
	one, children := s.pushIndexOf(0, []v1.Image{shared, image(t)}, "one")
	s.server.Advance(time.Hour)
	s.pushIndexOf(0, []v1.Image{shared, image(t)}, "two", registry.TagLatest)
	b := s.pushOne(1, image(t), "one")
	found, err := FindDigests(t.Context(), s.clients, s.repos, s.running([]string{children[0], b}), nil, nil)
	if err != nil || found.Name != "one" || found.Images[0].Digest != one || found.Images[1].Digest != b || !found.Snapshot.contains(s.repos[0].Ref, one) {
		t.Errorf("found %+v, %v", found, err)
	}
	bare := s.pushOne(0, image(t))
	found, err = FindDigests(t.Context(), s.clients, s.repos, s.running([]string{bare, b}), nil, nil)
	if err != nil || found.Name != "" || found.Images[0].Digest != bare {
		t.Errorf("an untagged image: %+v, %v", found, err)
	}
}

func TestFindDigestsRefuses(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("one", "two", "three")
	gone := "sha256:" + strings.Repeat("0", 64)
	_, err := FindDigests(t.Context(), s.clients, s.repos, s.running([]string{h["one"][0], gone}), nil, nil)
	var missing *GoneError
	if !errors.As(err, &missing) || !strings.Contains(errorText(err), "no longer in the registry: shop/b@"+gone) {
		t.Errorf("got %v, want a GoneError of shop/b@%s", err, gone)
	}
	if err := s.server.Archive("shop/a", h["one"][0]); err != nil {
		t.Fatal(err)
	}
	_, err = FindDigests(t.Context(), s.clients, s.repos, s.running(h["one"]), nil, nil)
	var archived *ArchivedError
	if !errors.As(err, &archived) || !strings.Contains(archived.Hint(), "--image-id imageDigest="+h["one"][0]) {
		t.Errorf("got %v, want an ArchivedError with the command that restores %s", err, h["one"][0])
	}
}
