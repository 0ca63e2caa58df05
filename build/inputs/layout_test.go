package inputs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/opencontainers/go-digest"

	"slipway/build/target"
)

// writeLayout writes an OCI layout with one image, which has environment variables.
func writeLayout(t testing.TB, dir string, env []string) target.Context {
	t.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{Env: env}})
	if err != nil {
		t.Fatal(err)
	}
	path, err := ggcr.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendImage(img)
	}
	if err != nil {
		t.Fatal(err)
	}
	dgst, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return target.Context{OCILayout: dir, Digest: dgst.String()}
}

// TestLayoutKey reads the configuration of an image in an OCI layout before the
// build: its variables count in paths.
func TestLayoutKey(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.target.Contexts = map[string]target.Context{"layout": writeLayout(t, filepath.Join(p.dir, "layout"), []string{"WHICH=lock"})}
	p.write("Dockerfile", "FROM layout\nCOPY $WHICH /x\n")
	got := p.known()
	if len(got.Images) != 0 || len(p.read().Bases) != 0 || got.Files["lock"] == "" || len(got.Files) != 1 {
		t.Errorf("the inputs are %+v, want lock and no image", got)
	}
}

// TestLayoutRefused checks what is refused of a layout. The inputs are not known
// then, and nothing waits or reads without end.
func TestLayoutRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		damage func(path string) error // of the manifest
		want   string
	}{
		"missing":    {os.Remove, "no such file"},
		"other":      {func(path string) error { return os.WriteFile(path, []byte("{}"), 0o600) }, "has the digest sha256:"},
		"large":      {func(path string) error { return os.Truncate(path, maxRead+1) }, "larger than the limit"},
		"named pipe": {func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) }, "pipe"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			x := writeLayout(t, filepath.Join(p.dir, "layout"), nil)
			p.target.Contexts = map[string]target.Context{"layout": x}
			p.write("Dockerfile", "FROM layout\n")
			must(t, test.damage(filepath.Join(x.OCILayout, "blobs", "sha256", digest.Digest(x.Digest).Encoded())))
			if r := p.read(); r.Unknown == nil || !strings.Contains(r.Unknown.Error(), test.want) {
				t.Errorf("the inputs are %+v, unknown because of %v; want an error with %q", r.Inputs, r.Unknown, test.want)
			}
		})
	}
}
