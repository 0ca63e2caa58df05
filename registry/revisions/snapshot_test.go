package revisions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/testkit"
	"slipway/registry"
)

func TestLook(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	a := s.images()
	one := s.push(a, "one", "one.2", "one.10", registry.TagLatest)
	partial := s.pushOne(0, image(t), "one.3", "v1")
	bare := s.pushOne(1, image(t))
	s.server.ResetCalls()
	extra := map[registry.Ref][]string{s.repos[0].Ref: {"v1", "v1", one[0], ""}, s.repos[1].Ref: {bare, "nothing"}}
	snapshot, err := ReadTags(t.Context(), s.clients, s.repos, variantOf("one"), extra)
	if err != nil {
		t.Fatal(err)
	}
	testkit.WantECRCalls(t, s.server, "BatchGetImage", len(s.repos))
	if got := snapshot.Complete(); !slices.Equal(got, []string{"one.10", "one.2", "one"}) {
		t.Errorf("complete: %v, want one.10, one.2, one", got)
	}
	for _, c := range []struct {
		repo      int
		tag, want string
	}{
		{0, "one", one[0]}, {1, "one", one[1]}, {0, "one.3", partial}, {1, "one.3", ""}, {0, "v1", partial},
		{0, registry.TagLatest, one[0]}, {0, registry.TagPrevious, ""}, {1, "nothing", ""},
	} {
		at, ok := snapshot.ByTag(s.repos[c.repo].Ref, c.tag)
		if at.Digest != c.want || ok != (c.want != "") {
			t.Errorf("%s:%s is at %q, %v, want %q", s.repos[c.repo].Name, c.tag, at.Digest, ok, c.want)
		}
	}
	if i, ok := snapshot.ByDigest(s.repos[1].Ref, bare); !ok || i.Digest != bare {
		t.Errorf("an untagged image: %+v, %v", i, ok)
	}
	if _, ok := snapshot.ByDigest(s.repos[0].Ref, bare); ok {
		t.Error("an image is known in a repository that has no such image")
	}
	raw, err := a[0].RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	if i, _ := snapshot.ByDigest(s.repos[0].Ref, one[0]); i.Manifest != string(raw) || !strings.Contains(i.MediaType, "manifest") {
		t.Errorf("the manifest is not what was pushed: %+v", i)
	}
}

func TestLookInPages(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	digest := s.pushOne(0, image(t), "t99")
	var tags []string
	for n := range 100 {
		tags = append(tags, fmt.Sprintf("t%d", n))
	}
	s.server.ResetCalls()
	snapshot, err := ReadTags(t.Context(), s.clients, s.repos, nil, map[registry.Ref][]string{s.repos[0].Ref: tags})
	if err != nil {
		t.Fatal(err)
	}
	testkit.WantECRCalls(t, s.server, "BatchGetImage", 2)
	if at, _ := snapshot.ByTag(s.repos[0].Ref, "t99"); at.Digest != digest {
		t.Errorf("the last tag is at %q", at.Digest)
	}
}

func TestLookInSeveralRegions(t *testing.T) {
	t.Parallel()
	server, clients := testkit.StartECR(t)
	refs := []registry.Ref{{Name: "shop/a"}, {Account: testkit.OtherAccount, Region: testkit.OtherRegion, Name: "shop/a"}}
	made := mustCreate(t, server, clients, refs...)
	var repos []registry.Repository
	var want []string
	for _, ref := range refs {
		repos = append(repos, made[ref])
		want = append(want, testkit.PushImage(t, made[ref].URI, testkit.ECRLogin(t, clients(ref.Region)), "one"))
	}
	snapshot, err := ReadTags(t.Context(), clients, repos, variantOf("one"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, repo := range repos {
		if at, _ := snapshot.ByTag(repo.Ref, "one"); at.Digest != want[i] {
			t.Errorf("%v: one is at %q, want %q", repo.Ref, at.Digest, want[i])
		}
	}
}

func TestLookFails(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	archived := s.pushOne(1, image(t), "one")
	if err := s.server.Archive("shop/b", archived); err != nil {
		t.Fatal(err)
	}
	_, err := ReadTags(t.Context(), s.clients, s.repos, variantOf("one"), nil)
	if err == nil || !strings.Contains(err.Error(), "reading image one of shop/b: ImageInaccessible") {
		t.Errorf("an archived image: %v", err)
	}
	gone := s.repos[0]
	gone.Name = "shop/gone"
	_, err = ReadTags(t.Context(), s.clients, []registry.Repository{gone}, nil, nil)
	var missing *types.RepositoryNotFoundException
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "reading images of shop/gone") {
		t.Errorf("a repository that is gone: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ReadTags(ctx, s.clients, s.repos, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestAnnotation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ manifest, want string }{
		{`{"annotations":{"k":"v"}}`, "v"},
		{`{"annotations":{"other":"v"}}`, ""},
		{`{}`, ""},
		{`not JSON`, ""},
	} {
		if got := (Image{Manifest: c.manifest}).Annotation("k"); got != c.want {
			t.Errorf("annotation in %s is %q, want %q", c.manifest, got, c.want)
		}
	}
}

// with puts a layer of some bytes on an image.
func with(t *testing.T, base v1.Image, bytes int64) v1.Image {
	t.Helper()
	layer, err := random.Layer(bytes, "application/vnd.docker.image.rootfs.diff.tar.gzip")
	if err != nil {
		t.Fatal(err)
	}
	out, err := mutate.AppendLayers(base, layer)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// size is that of an image's configuration and of its layers from one on.
func size(t *testing.T, i v1.Image, from int) int64 {
	t.Helper()
	m, err := i.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	total := m.Config.Size
	for _, l := range m.Layers[from:] {
		total += l.Size
	}
	return total
}

func TestNewBytes(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	base := with(t, empty.Image, 1000)
	old := with(t, base, 500)
	next := with(t, base, 700)
	oldDigest, nextDigest := s.pushOne(0, old, registry.TagLatest, "old"), s.pushOne(0, next)
	other := with(t, empty.Image, 300)
	otherDigest := s.pushOne(0, other, "other")
	child := with(t, base, 900)
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: child})
	indexHash, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(s.repos[0].URI.Digest(indexHash.String()), index, remote.WithAuth(authn.Authenticator(s.auth))); err != nil {
		t.Fatal(err)
	}
	before, err := ReadTags(t.Context(), s.clients, s.repos, variantOf("other"), nil)
	if err != nil {
		t.Fatal(err)
	}
	digests := []string{nextDigest, indexHash.String(), unreadDigest}
	after, err := ReadTags(t.Context(), s.clients, s.repos, nil, map[registry.Ref][]string{s.repos[0].Ref: digests[:2]})
	if err != nil {
		t.Fatal(err)
	}
	check := func(what, digest string, p Published, want *int64) {
		t.Helper()
		p.Snapshot = after
		got := before.NewBytes(p, RevisionImage{Repository: s.repos[0], Digest: digest})
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: %v new bytes, want %v", what, show(got), show(want))
		}
	}
	check("what shares a layer with latest", nextDigest, Published{}, aws.Int64(size(t, next, 1)))
	check("what latest stands on", oldDigest, Published{}, aws.Int64(0))
	check("what the revision has already", otherDigest, Published{}, aws.Int64(0))
	check("what was not read", unreadDigest, Published{}, nil)
	check("an index whose parts were not read", indexHash.String(), Published{}, nil)
	pushed := func(at time.Time) Published {
		return Published{Pushed: map[registry.Ref]time.Time{s.repos[0].Ref: at}}
	}
	check("what was pushed long ago", nextDigest, pushed(time.Now().Add(-time.Hour)), aws.Int64(0))
	check("what was pushed since", nextDigest, pushed(time.Now().Add(time.Hour)), aws.Int64(size(t, next, 1)))

	s.server.ResetCalls()
	if err := after.ReadParts(t.Context(), s.clients); err != nil {
		t.Fatal(err)
	}
	testkit.WantECRCalls(t, s.server, "BatchGetImage", 1)
	check("an index", indexHash.String(), Published{}, aws.Int64(size(t, child, 1)))
	if err := before.ReadParts(t.Context(), s.clients); err != nil {
		t.Fatal(err)
	}
	testkit.WantECRCalls(t, s.server, "BatchGetImage", 1)
}

var unreadDigest = "sha256:" + strings.Repeat("0", 64)

func show(n *int64) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}

// One configuration can have several manifests: with other annotations, or with
// layers compressed by another program.
func TestByConfig(t *testing.T) {
	t.Parallel()
	const key = "build.slipway.inputs"
	s := newRegistryFixture(t, "shop/a")
	annotated := func(img v1.Image, pairs ...string) v1.Image {
		marks := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			marks[pairs[i]] = pairs[i+1]
		}
		return mutate.Annotations(img, marks).(v1.Image)
	}
	img, other := image(t), image(t)
	config, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	s.pushOne(0, annotated(img, key, "wanted", "by", "one"), registry.TagPrevious)
	latest := s.pushOne(0, annotated(img, key, "wanted", "by", "another"), registry.TagLatest)
	s.pushOne(0, annotated(other, key, "not wanted"), "one")
	snapshot, err := ReadTags(t.Context(), s.clients, s.repos, variantOf("one"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := snapshot.ByConfig(s.repos[0].Ref, key, "wanted")
	if len(got) != 1 || got[config.String()] != latest {
		t.Errorf("%v, want latest's %s for %s", got, latest, config)
	}
}
