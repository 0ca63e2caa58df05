package dockertest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/testkit"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv("SLIPWAY_TEST_DOCKER", dir)
	steps := []struct{ program, classic, current string }{
		{"", "docker-classic/usr/sbin/dockerd", "docker/dockerd"},
		{"docker-classic/usr/sbin/dockerd", "no containerd", "docker/dockerd"},
		{"docker-classic/usr/bin/containerd", "no runc", "docker/dockerd"},
		{"docker/dockerd", "no runc", "no containerd "},
		{"docker/containerd", "no runc", "no containerd-shim-runc-v2"},
		{"docker/containerd-shim-runc-v2", "no runc", "no runc"},
		{"docker/runc", "no runc", ""},
		{"docker-classic/usr/sbin/runc", "", ""},
	}
	for _, s := range steps {
		if s.program != "" {
			testkit.WriteProgram(t, filepath.Join(dir, s.program), "")
		}
		for k, want := range map[Kind]string{Classic: s.classic, ContainerdStore: s.current, CurrentClassic: s.current} {
			_, err := find(k)
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("with %q, %s: %v, want %q", s.program, k, err, want)
			}
		}
	}
}

// Libraries are searched next to the unpacked programs.
func TestFindLibraries(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SLIPWAY_TEST_DOCKER", dir)
	for _, p := range []string{"usr/sbin/dockerd", "usr/bin/containerd", "usr/sbin/runc"} {
		testkit.WriteProgram(t, filepath.Join(dir, "docker-classic", p), "")
	}
	libs := filepath.Join(dir, "docker-classic", "usr", "lib", "riscv64-linux-gnu")
	if err := os.MkdirAll(libs, 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := find(Classic)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.libs) != 1 || p.libs[0] != libs {
		t.Errorf("libraries are looked for in %q", p.libs)
	}
}

func TestRequired(t *testing.T) {
	if host() != nil {
		t.Setenv("SLIPWAY_REQUIRE_ENGINE", "1")
		if Required(ContainerdStore) {
			t.Error("it insists on an engine that cannot run here")
		}
		return
	}
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	for _, c := range []struct {
		env              string
		apt              bool
		classic, current bool
	}{
		{"0", false, false, false},
		{"1", false, false, true},
		{"0", true, false, false},
		{"1", true, true, true},
	} {
		t.Setenv("SLIPWAY_REQUIRE_ENGINE", c.env)
		if c.apt {
			testkit.WriteProgram(t, filepath.Join(bin, "apt-get"), "")
		}
		if got := Required(Classic); got != c.classic {
			t.Errorf("%+v: classic is required: %v, want %v", c, got, c.classic)
		}
		if got := Required(CurrentClassic); got != c.current {
			t.Errorf("%+v: current is required: %v, want %v", c, got, c.current)
		}
	}
}

// A daemon that cannot start is an error with its log, and leaves nothing.
func TestLaunchFails(t *testing.T) {
	Require(t, ContainerdStore)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	_, err := Launch(t.Context(), ContainerdStore, Insecure("no/registry"))
	if err == nil || !strings.Contains(err.Error(), "no/registry") {
		t.Errorf("the error is %v", err)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// The longest TMPDIR that is used leaves room for containerd's sockets.
func TestLongTMPDIR(t *testing.T) {
	Require(t, ContainerdStore)
	base, err := os.MkdirTemp("/tmp", "tmpdir-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	long := filepath.Join(base, strings.Repeat("d", 49-len(base)))
	if err := os.Mkdir(long, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	e, err := Launch(t.Context(), ContainerdStore)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if !strings.HasPrefix(e.dir, long) {
		t.Errorf("%s is not below %s, of %d bytes", e.dir, long, len(long))
	}
}

// What cannot be started is found out before a test needs it.
func TestProbe(t *testing.T) {
	if err := host(); err != nil {
		if !errors.Is(look(Classic), ErrUnavailable) {
			t.Error("it is available here?")
		}
		return
	}
	broken := filepath.Join(t.TempDir(), "dockerd")
	testkit.WriteProgram(t, broken, "echo no lib >&2\nexit 1\n")
	if err := probe(programs{dockerd: broken}); err == nil || !strings.Contains(err.Error(), "no lib") {
		t.Errorf("of a broken dockerd it says %v", err)
	}
}
