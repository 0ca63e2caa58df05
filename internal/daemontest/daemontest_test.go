package daemontest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a testing.TB that notes how a test would have ended.
type recorder struct {
	testing.TB
	end string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Skipf(f string, a ...any)  { r.end = "skip: " + fmt.Sprintf(f, a...) }
func (r *recorder) Fatalf(f string, a ...any) { r.end = "fail: " + fmt.Sprintf(f, a...) }

func TestRequire(t *testing.T) {
	reason := errors.New("no hands")
	for name, c := range map[string]struct {
		unavailable error
		required    bool
		want        string
	}{
		"can run":           {nil, true, ""},
		"cannot, left out":  {reason, false, "skip: LEFT OUT: no hands"},
		"cannot, but asked": {reason, true, "fail: SLIPWAY_REQUIRE_ENGINE=1: no hands"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			Require(r, c.unavailable, c.required)
			if r.end != c.want {
				t.Errorf("got %q, want %q", r.end, c.want)
			}
		})
	}
}

func TestModuleRoot(t *testing.T) {
	if _, err := moduleRoot(t.TempDir()); err == nil {
		t.Error("found Slipway's source in an empty directory")
	}
	root, err := moduleRoot(workDir)
	if err != nil || !strings.HasPrefix(workDir, root) {
		t.Errorf("got %q, %v, want a directory above %s", root, err, workDir)
	}
}

func TestRemoveAllDespiteModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "a"), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

func TestSocketIsShort(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	if err := os.Mkdir(long, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	dir, err := Dir("engine-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	if socket := filepath.Join(dir, "s"); len(socket) >= 108 {
		t.Errorf("%s is %d bytes long", socket, len(socket))
	}
}
