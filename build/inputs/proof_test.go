package inputs_test

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	docker "github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/build/inputs"
	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

// ownPlatform is the platform of the engine of the tests.
const ownPlatform = "linux/" + runtime.GOARCH

// proof compares keys with the content of images that a real engine builds.
type proof struct {
	engine *enginetest.Engine
	host   string
	files  *inputs.Files
}

func newProof(t *testing.T) *proof {
	t.Helper()
	host := testkit.StartRegistry(t)
	return &proof{engine: enginetest.Start(t, enginetest.Mirror("docker.io", host)), host: host, files: inputs.NewFiles(nil)}
}

// dockerHub begins the names of images on Docker Hub, for which the registry of
// the proof stands in.
const dockerHub = "docker.io/"

func anonymous(context.Context, string) (docker.AuthConfig, error) { return docker.AuthConfig{}, nil }

// read returns the inputs of targets as a build reads them before it has an
// engine.
func (p *proof) read(t *testing.T, targets []target.Target) map[string]inputs.Result {
	t.Helper()
	return inputs.Of(t.Context(), targets, p.sources())
}

func (p *proof) sources() inputs.Sources {
	return inputs.Sources{
		Platform: ownPlatform, Files: p.files, Commit: inputs.Commit,
		Digest: func(ctx context.Context, image string) (string, error) {
			if name, ok := strings.CutPrefix(image, dockerHub); ok {
				image = p.host + "/" + name
			}
			return solve.Head(ctx, image, anonymous)
		},
	}
}

// build builds targets without any cache, in a namespace of their own.
func (p *proof) build(t *testing.T, namespace string, targets []target.Target) map[string]solve.Result {
	t.Helper()
	fresh, push := slices.Clone(targets), map[string]target.Push{}
	for i := range fresh {
		fresh[i].NoCache = true
		push[fresh[i].Service] = target.Push{Repository: p.host + "/" + fresh[i].Service}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	engines := []solve.Engine{{Client: p.engine.Client(t)}}
	results, err := solve.Run(ctx, engines, fresh, solve.RunOptions{Jobs: 8, Namespace: namespace, Login: anonymous, Push: push, Sum: p.files.Sum})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]solve.Result{}
	for _, r := range results {
		out[r.Service] = r
	}
	return out
}

// confirm reads the inputs of targets again, with the configurations of the base
// images, and returns the error of each target whose image must not be known by
// its key.
func (p *proof) confirm(t *testing.T, targets []target.Target, before map[string]inputs.Result, built map[string]solve.Result) map[string]error {
	t.Helper()
	s := p.sources()
	s.Keys = map[string]string{}
	for service, r := range before {
		if r.Inputs != nil {
			s.Keys[service] = r.Inputs.Key()
		}
	}
	client := p.engine.Client(t)
	s.Config = func(image, platform string) ([]byte, error) {
		if service, ok := inputs.Link(image); ok {
			image = p.host + "/" + service + "@" + built[service].Digest
		}
		found, err := solve.Resolve(t.Context(), client, []target.Base{{Image: image, Platform: platform}}, anonymous)
		if err != nil {
			return nil, err
		}
		return found[0].Config, found[0].Err
	}
	out := map[string]error{}
	for service, now := range inputs.Of(t.Context(), targets, s) {
		out[service] = before[service].Confirm(now)
	}
	return out
}

// content describes the content of an image by platform and path: of each file
// its type, mode, owner, link target and bytes, and the configuration. Times are
// no part of it.
func (p *proof) content(t *testing.T, r solve.Result) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, img := range p.images(t, r) {
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		platform := config.Platform().String()
		out[platform+" configuration"] = configText(t, config)
		for path, text := range treeOf(t, img) {
			out[platform+" "+path] = text
		}
	}
	return out
}

// images are the images of a result: one, or those of an index.
func (p *proof) images(t *testing.T, r solve.Result) []v1.Image {
	t.Helper()
	ref, err := name.NewDigest(p.host + "/" + r.Service + "@" + r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	found, err := remote.Get(ref)
	if err != nil {
		t.Fatal(err)
	}
	if !found.MediaType.IsIndex() {
		img, err := found.Image()
		if err != nil {
			t.Fatal(err)
		}
		return []v1.Image{img}
	}
	index, err := found.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	images, err := partial.FindImages(index, func(v1.Descriptor) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// configText is a configuration without times, and without the checksums of
// layers, which have times in them.
func configText(t *testing.T, config *v1.ConfigFile) string {
	t.Helper()
	config = config.DeepCopy()
	config.Created, config.RootFS = v1.Time{}, v1.RootFS{}
	for i := range config.History {
		config.History[i].Created = v1.Time{}
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// treeOf describes the files of an image by path. A hard link is described like
// the file that it is a name of.
func treeOf(t *testing.T, img v1.Image) map[string]string {
	t.Helper()
	rc := mutate.Extract(img)
	defer rc.Close()
	out, links := map[string]string{}, map[string]string{}
	for tr := tar.NewReader(rc); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, tr); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeLink {
			links[path.Clean(h.Name)] = path.Clean(h.Linkname)
			continue
		}
		out[path.Clean(h.Name)] = fmt.Sprintf("%c %o %d:%d %q %x", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Linkname, sum.Sum(nil))
	}
	for from, to := range links {
		out[from] = out[to]
	}
	return out
}

// different lists what two contents do not share, in words.
func different(a, b map[string]string) string {
	var out []string
	for k, v := range a {
		if w, ok := b[k]; v != w {
			out = append(out, fmt.Sprintf("%s: %q became %q (%v)", k, v, w, ok))
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			out = append(out, k+" is new")
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}
