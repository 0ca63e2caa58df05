package solve_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	docker "github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
	"slipway/project/compose"
)

// buildFixture is a real engine with a registry to push to.
type buildFixture struct {
	engines []solve.Engine
	host    string
}

// newBuildFixture uses the engine that the tests share. Each of wrap stands in front of the
// registry.
func newBuildFixture(t *testing.T, wrap ...func(http.Handler) http.Handler) *buildFixture {
	t.Helper()
	return newBuildFixtureOn(t, enginetest.Shared(t), wrap...)
}

func newBuildFixtureOn(t *testing.T, e *enginetest.Engine, wrap ...func(http.Handler) http.Handler) *buildFixture {
	t.Helper()
	return &buildFixture{engines: []solve.Engine{{Client: e.Client(t)}}, host: testkit.StartRegistry(t, wrap...)}
}

var anonymous = func(context.Context, string) (docker.AuthConfig, error) { return docker.AuthConfig{}, nil }

func (o *buildFixture) pushes(list []target.Target) map[string]target.Push {
	out := map[string]target.Push{}
	for _, x := range list {
		out[x.Service] = target.Push{Repository: o.host + "/" + x.Service, Inputs: "inputs of " + x.Service}
	}
	return out
}

// plan reads the project in dir, with what the test's compose file needs.
func plan(t *testing.T, dir string, environ ...string) []target.Target {
	t.Helper()
	project, err := compose.Load(t.Context(), compose.Options{Dir: dir, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := target.Select(project, target.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// limit is how long a build that hangs holds a test up.
const limit = time.Minute

// build builds the targets and returns the results by service.
func (o *buildFixture) build(ctx context.Context, t *testing.T, list []target.Target, opts solve.RunOptions) map[string]solve.Result {
	t.Helper()
	if opts.Push == nil {
		opts.Push = o.pushes(list)
	}
	if opts.Login == nil {
		opts.Login = anonymous
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	results, err := solve.Run(ctx, o.engines, list, opts)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]solve.Result{}
	for i, r := range results {
		if r.Service != list[i].Service {
			t.Errorf("result %d is of %s, the target of %s", i, r.Service, list[i].Service)
		}
		out[r.Service] = r
	}
	return out
}

// mustBuild builds the targets and fails the test unless all of them succeed.
func (o *buildFixture) mustBuild(t *testing.T, list []target.Target, opts solve.RunOptions) map[string]solve.Result {
	t.Helper()
	out := o.build(t.Context(), t, list, opts)
	for _, r := range out {
		if r.Err != nil {
			lines := ""
			var failed *solve.FailedError
			if errors.As(r.Err, &failed) {
				lines = failed.Lines
			}
			t.Fatalf("building %s: %v\n%s", r.Service, r.Err, lines)
		}
	}
	return out
}

// buildProject builds a project given as files and returns the results.
func (o *buildFixture) buildProject(t *testing.T, tree map[string]string, environ ...string) map[string]solve.Result {
	t.Helper()
	return o.mustBuild(t, plan(t, testkit.WriteTree(t, withProbe(t, tree)), environ...), solve.RunOptions{})
}

// withProbe returns the tree with the probe added as ./probe.
func withProbe(t *testing.T, tree map[string]string) map[string]string {
	t.Helper()
	data, err := testkit.Probe()
	if err != nil {
		t.Fatal(err)
	}
	out := maps.Clone(tree)
	out["probe"] = data
	return out
}

// probing returns a Dockerfile that has the probe run each of the lines. The words
// before "| " are flags of RUN. Other instructions are taken as they are.
func probing(lines ...string) string {
	text := "FROM scratch\nCOPY --chmod=755 probe /probe\n"
	for _, line := range lines {
		flags, args, _ := strings.Cut(line, "| ")
		if args == "" {
			flags, args = "", line
		}
		words := strings.Fields(args)
		if words[0] == "see" || words[0] == "meet" || words[0] == "fail" {
			line = "RUN " + flags + `["/probe","` + strings.Join(words, `","`) + `"]`
		}
		text += line + "\n"
	}
	return text
}

// inlined indents a Dockerfile for dockerfile_inline: |.
func inlined(dockerfile string) string {
	return "|\n" + strings.ReplaceAll("\n"+strings.TrimSpace(dockerfile), "\n", "\n        ")[1:] + "\n"
}

func (o *buildFixture) digest(t *testing.T, r solve.Result) name.Digest {
	t.Helper()
	ref, err := name.NewDigest(o.host + "/" + r.Service + "@" + r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func (o *buildFixture) image(t *testing.T, r solve.Result) v1.Image {
	t.Helper()
	img, err := remote.Image(o.digest(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// files are the regular files of an image but the probe, by path.
func (o *buildFixture) files(t *testing.T, r solve.Result) map[string]string {
	t.Helper()
	return filesOf(t, o.image(t, r))
}

func filesOf(t *testing.T, img v1.Image) map[string]string {
	t.Helper()
	rc := mutate.Extract(img)
	defer rc.Close()
	out := map[string]string{}
	for tr := tar.NewReader(rc); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && h.Name != "probe" {
			data, err := io.ReadAll(tr)
			if err != nil {
				t.Fatal(err)
			}
			out[h.Name] = string(data)
		}
	}
}

// want compares the image's files, those named, with what they should hold.
func (o *buildFixture) want(t *testing.T, r solve.Result, want map[string]string) {
	t.Helper()
	have := o.files(t, r)
	for path, text := range want {
		if have[path] != text {
			t.Errorf("%s: %s holds %q, want %q", r.Service, path, have[path], text)
		}
	}
}
