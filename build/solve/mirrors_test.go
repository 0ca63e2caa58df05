package solve_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/build/solve"
	"slipway/internal/mirror"
	"slipway/internal/testkit"
)

// copied pushes an image for this processor and returns its digest.
func (o *buildFixture) copied(t *testing.T, repository string) string {
	t.Helper()
	image, err := random.Image(1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.Architecture, config.OS = runtime.GOARCH, "linux"
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(o.host + "/" + repository)
	if err == nil {
		err = remote.Write(ref, image)
	}
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// Each way to name an image goes through the mirror. This host does not reach the
// registries that the names say.
func TestMirrors(t *testing.T) {
	t.Parallel()
	o := newBuildFixture(t)
	digest := o.copied(t, "hub/library/copied:1")
	mirrors, err := mirror.Parse([]string{"docker.io=" + o.host + "/hub"})
	if err != nil {
		t.Fatal(err)
	}
	for about, c := range map[string]struct{ dockerfile, contexts string }{
		"by tag":             {"FROM copied:1\n", "{}"},
		"by its whole name":  {"FROM docker.io/library/copied:1\n", "{}"},
		"by digest":          {"FROM copied@" + digest + "\n", "{}"},
		"by tag and digest":  {"FROM copied:1@" + digest + "\n", "{}"},
		"by an argument":     {"ARG V=1\nFROM copied:$V\n", "{}"},
		"copied from":        {"FROM scratch\nCOPY --from=copied:1 / /\n", "{}"},
		"a context":          {"FROM base\n", `{base: "docker-image://copied:1"}`},
		"in place of a name": {"FROM other.invalid/x:1\n", `{"other.invalid/x:1": "docker-image://copied:1"}`},
	} {
		tree := map[string]string{
			"compose.yaml": "services: {app: {build: {context: ., additional_contexts: " + c.contexts + "}}}",
			"Dockerfile":   c.dockerfile + "COPY Dockerfile /\n",
		}
		r := o.mustBuild(t, plan(t, testkit.WriteTree(t, tree)), solve.RunOptions{Mirrors: mirrors, Unmirrored: func(lost []solve.Unmirrored) {
			t.Errorf("%s: not mirrored: %+v", about, lost)
		}})["app"]
		o.want(t, r, map[string]string{"Dockerfile": tree["Dockerfile"]})
	}
}

// An image whose copy is missing comes from its own registry. It is reported once,
// with the others, however many services need it.
func TestMirrorLacksAnImage(t *testing.T) {
	t.Parallel()
	o := newBuildFixture(t)
	o.copied(t, "own/a:1")
	o.copied(t, "own/b:1")
	o.copied(t, "hub/a:1")
	mirrors, err := mirror.Parse([]string{o.host + "/own=" + o.host + "/hub"})
	if err != nil {
		t.Fatal(err)
	}
	tree := map[string]string{
		"compose.yaml": "services: {one: {build: .}, two: {build: .}}",
		"Dockerfile":   strings.ReplaceAll("FROM HOST/own/a:1\nCOPY --from=HOST/own/b:1 / /b\nCOPY Dockerfile /\n", "HOST", o.host),
	}
	var lost []string
	o.mustBuild(t, plan(t, testkit.WriteTree(t, tree)), solve.RunOptions{Mirrors: mirrors, Unmirrored: func(all []solve.Unmirrored) {
		for _, u := range all {
			lost = append(lost, u.Image+" "+u.Copy)
			if u.Err == nil || !strings.Contains(u.Err.Error(), "not found") {
				t.Errorf("%s: error %v, want one that says not found", u.Image, u.Err)
			}
		}
	}})
	if want := []string{o.host + "/own/b:1 " + o.host + "/hub/b:1"}; !slices.Equal(lost, want) {
		t.Errorf("not mirrored: %q, want %q", lost, want)
	}
}
