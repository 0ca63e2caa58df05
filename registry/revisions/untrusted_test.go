package revisions

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"slipway/registry"
)

func TestFindRevisionLeavesUntrustedAlone(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	h := s.history("1a2b", "pr12-1a2b", "untrusted-1a2b", "previous")
	for _, text := range []string{"pr12-1a2b", "pr12-", "untrusted-1a2b"} {
		_, err := Find(t.Context(), s.clients, s.repos, text, nil, nil)
		var bad *NameError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), "an untrusted build made the revision") || !errors.Is(err, ErrUntrusted) {
			t.Errorf("FindRevision(%q): got %v, want a NameError of an untrusted build", text, err)
		}
	}
	for _, text := range []string{"pr12", "unt"} {
		_, err := Find(t.Context(), s.clients, s.repos, text, nil, nil)
		var unknown *UnknownError
		if !errors.As(err, &unknown) || strings.Contains(Lines(unknown.Newest, unknown.At), "pr12-") || strings.Contains(Lines(unknown.Newest, unknown.At), "untrusted-") {
			t.Errorf("FindRevision(%q): got %v, want an UnknownError that lists no untrusted revision", text, err)
		}
	}
	// A prefix means the one revision that is trusted.
	found, err := Find(t.Context(), s.clients, s.repos, "pr", nil, nil)
	if err != nil || found.Name != "previous" || found.Images[0].Digest != h["previous"][0] {
		t.Errorf("FindRevision(pr): got %+v, %v, want previous", found, err)
	}
}

func TestFindDigestsRefusesUntrusted(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	digest := s.pushOne(0, image(t), "pr12-1a2b", "pr12-1a2b.2")
	_, err := FindDigests(t.Context(), s.clients, s.repos, s.running([]string{digest}), nil, nil)
	var bad *UntrustedError
	if !errors.As(err, &bad) || bad.Digest != digest {
		t.Fatalf("FindDigests of an image that only pr12- names: got %v, want an *UntrustedError", err)
	}
	// A trusted build that came out with the same image vouches for it.
	s.move(0, "1a2b", digest)
	found, err := FindDigests(t.Context(), s.clients, s.repos, s.running([]string{digest}), nil, nil)
	if err != nil || found.Name != "1a2b" {
		t.Errorf("FindDigests of an image that a trusted build made too: got %+v, %v, want 1a2b", found, err)
	}
}

// TestReconcileNeverPicksUntrusted: two jobs that meet agree on a revision of
// theirs, not on what the images have in common with a pull request.
func TestReconcileNeverPicksUntrusted(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	first := s.push(s.images(), "first")
	s.server.Advance(time.Hour)
	second := s.push(s.images(), "second")
	for _, tag := range []string{registry.TagLatest, "pr12-x"} {
		s.move(0, tag, first[0])
		s.move(1, tag, second[1])
	}
	p := s.publication("first", first)
	snapshot, err := p.readSnapshot(t.Context(), s.clients)
	if err != nil {
		t.Fatal(err)
	}
	out := Published{Name: "first", Snapshot: snapshot}
	if err := p.reconcile(t.Context(), s.clients, &out); err != nil || out.SupersededBy != "second" {
		t.Errorf("reconcile: superseded by %q, %v, want second", out.SupersededBy, err)
	}
	s.wantTags(map[string][]string{"first": first, "second": second, registry.TagLatest: second, "pr12-x": {first[0], second[1]}})
}

// TestByConfigLeavesUntrustedAlone: an image that a pull request pushed stands
// for no trusted one with the same configuration, but for one of the same pull
// request.
func TestByConfigLeavesUntrustedAlone(t *testing.T) {
	t.Parallel()
	const key = "build.slipway.inputs"
	s := newRegistryFixture(t, "shop/a")
	img := image(t)
	config, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	pushed := s.pushOne(0, mutate.Annotations(img, map[string]string{key: "wanted"}).(v1.Image), "pr12-one")
	for hash, want := range map[string]string{"one": "", "pr12-one": pushed} {
		snapshot, err := ReadTags(t.Context(), s.clients, s.repos, variantOf(hash), map[registry.Ref][]string{s.repos[0].Ref: {"pr12-one"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := snapshot.ByConfig(s.repos[0].Ref, key, "wanted")[config.String()]; got != want {
			t.Errorf("for %s: %q stands for the image, want %q", hash, got, want)
		}
	}
}

// TestPublishKeepsNames: a publication that may remove nothing leaves what it
// wrote when it fails, and the same one completes it.
func TestPublishKeepsNames(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	s.published(s.publication("one", s.push(s.images())))
	before := s.tags()
	p := s.publication("pr12-one", s.push(s.images()))
	p.KeepLatest, p.KeepNames = true, true
	wire := &flakyTransport{}
	wire.set(func(c ecrCall) failure {
		if c.action == "PutImage" && c.repository == "shop/b" || c.action == "BatchDeleteImage" {
			return refused
		}
		return fine
	})
	_, err := Publish(t.Context(), s.over(wire), p)
	var failed *PublishError
	if !errors.As(err, &failed) || !failed.Kept || !strings.HasSuffix(err.Error(), "no tag was moved, and the same build completes the revision") {
		t.Fatalf("Publish: got %v, want a *PublishError that keeps", err)
	}
	if n := wire.seen()["BatchDeleteImage"]; n != 0 {
		t.Errorf("%d calls of BatchDeleteImage, want none", n)
	}
	s.published(p)
	after := s.tags()
	maps.DeleteFunc(after, func(tag, _ string) bool { return strings.HasSuffix(tag, ":pr12-one") })
	if !maps.Equal(before, after) || !slices.Contains(slices.Collect(maps.Keys(s.tags())), "shop/b:pr12-one") {
		t.Errorf("before %v, after %v", before, s.tags())
	}
}
