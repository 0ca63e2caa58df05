package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/internal/golden"
)

// linuxPrograms returns the programs of a release for linux-arm64, whose files
// are in dir.
func linuxPrograms(dir string) []program {
	var programs []program
	for _, name := range contents["linux"] {
		info := &debug.BuildInfo{GoVersion: "go1.26.8", Settings: settings("linux", "arm64")}
		switch name {
		case slipway:
			info.Main = debug.Module{Path: "slipway", Version: "v1.2.3"}
			info.Settings = append(info.Settings, debug.BuildSetting{Key: "vcs.time", Value: "2026-11-27T01:02:03Z"})
			info.Deps = []*debug.Module{{Path: "example.com/library", Version: "v2.0.0+incompatible"}}
		case "buildkitd":
			info.Main = debug.Module{Path: "example.com/engine", Version: "v0.33.1", Sum: "h1:"}
			info.Deps = []*debug.Module{
				{Path: "example.com/library", Version: "v2.0.0+incompatible"},
				{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v1.1.0"}},
			}
		}
		programs = append(programs, program{name, filepath.Join(dir, name), info})
	}
	return programs
}

func settings(goos, goarch string) []debug.BuildSetting {
	return []debug.BuildSetting{{Key: "-trimpath", Value: "true"}, {Key: "GOOS", Value: goos}, {Key: "GOARCH", Value: goarch}}
}

// set changes a build setting of the program with a name.
func set(programs []program, name, key, value string) []program {
	for _, p := range programs {
		for i := range p.info.Settings {
			if p.name == name && p.info.Settings[i].Key == key {
				p.info.Settings[i].Value = value
			}
		}
	}
	return programs
}

func TestNewRelease(t *testing.T) {
	r, err := newRelease(linuxPrograms(""))
	made := time.Date(2026, 11, 27, 1, 2, 3, 0, time.UTC)
	if err != nil || r.name() != "slipway-v1.2.3-linux-arm64" || !r.made.Equal(made) {
		t.Errorf("newRelease returned %s, made %v, %v; want slipway-v1.2.3-linux-arm64, made %v", r.name(), r.made, err, made)
	}
	without := func(name string) []program {
		return slices.DeleteFunc(linuxPrograms(""), func(p program) bool { return p.name == name })
	}
	for name, c := range map[string]struct {
		programs []program
		want     string
	}{
		"no slipway":          {without(slipway), "there is no slipway"},
		"no runc":             {without("runc"), "the programs are"},
		"too many":            {append(linuxPrograms(""), program{"z", "z", &debug.BuildInfo{Settings: settings("linux", "arm64")}}), "the programs are"},
		"other processor":     {set(linuxPrograms(""), "runc", "GOARCH", "amd64"), "runc is for linux-amd64, slipway for linux-arm64"},
		"not trimmed":         {set(linuxPrograms(""), "buildkitd", "-trimpath", "false"), "buildkitd was built without -trimpath"},
		"no commit":           {set(linuxPrograms(""), slipway, "vcs.time", ""), "does not record its commit"},
		"no operating system": {set(linuxPrograms(""), slipway, "GOOS", "plan9"), "slipway for plan9-arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := newRelease(c.programs); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("newRelease returned the error %v, want %q", err, c.want)
			}
		})
	}
}

// writePrograms writes a file for each program, with its name as its content.
func writePrograms(t *testing.T, dir string, names []string, mode os.FileMode, modified time.Time) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(name), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
}

// pack writes a release for linux-arm64 whose programs are in dir, and returns
// the directory that it wrote.
func pack(t *testing.T, dir string) string {
	t.Helper()
	r, err := newRelease(linuxPrograms(dir))
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := r.write(out); err != nil {
		t.Fatal(err)
	}
	if err := writeSums(out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWriteTwice packs equal programs from directories that differ in
// everything else: path, times, permissions and the order of creation.
func TestWriteTwice(t *testing.T) {
	names := slices.Clone(contents["linux"])
	one, two := t.TempDir(), t.TempDir()
	writePrograms(t, one, names, 0o755, time.Now())
	slices.Reverse(names)
	writePrograms(t, two, names, 0o700, time.Now().Add(-time.Hour))
	first, second := pack(t, one), pack(t, two)
	for _, name := range []string{"slipway-v1.2.3-linux-arm64.tar.gz", "slipway-v1.2.3-linux-arm64.cdx.json", sums} {
		a, b := read(t, filepath.Join(first, name)), read(t, filepath.Join(second, name))
		if len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s has %d bytes, and %d others when it is written again", name, len(a), len(b))
		}
	}
}

func TestTarball(t *testing.T) {
	dir := t.TempDir()
	writePrograms(t, dir, contents["linux"], 0o600, time.Now())
	z, err := gzip.NewReader(bytes.NewReader(read(t, filepath.Join(pack(t, dir), "slipway-v1.2.3-linux-arm64.tar.gz"))))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(z)
	var names []string
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		content, err := io.ReadAll(archive)
		if err != nil || string(content) != h.Name {
			t.Errorf("%s has the content %q, %v", h.Name, content, err)
		}
		if h.Mode != 0o755 || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.ModTime.UTC().Format(time.DateTime) != "2026-11-27 01:02:03" {
			t.Errorf("%s has mode %o, owner %d:%d %q and time %v; want 755, root and the time of the commit", h.Name, h.Mode, h.Uid, h.Gid, h.Uname, h.ModTime)
		}
	}
	if !slices.Equal(names, contents["linux"]) {
		t.Errorf("the tarball has %q, want %q", names, contents["linux"])
	}
}

// TestSums checks the checksums with the program that users check them with.
func TestSums(t *testing.T) {
	dir := t.TempDir()
	writePrograms(t, dir, contents["linux"], 0o755, time.Now())
	out := pack(t, dir)
	check := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), "sha256sum", "--check", sums)
		cmd.Dir = out
		text, err := cmd.CombinedOutput()
		return string(text), err
	}
	text, err := check()
	if err != nil || strings.Count(text, ": OK\n") != 2 {
		t.Errorf("sha256sum: %v\n%s", err, text)
	}
	if err := os.WriteFile(filepath.Join(out, "slipway-v1.2.3-linux-arm64.tar.gz"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := check(); err == nil {
		t.Errorf("sha256sum accepts another tarball:\n%s", text)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSBOM(t *testing.T) {
	dir := t.TempDir()
	writePrograms(t, dir, contents["linux"], 0o755, time.Now())
	r, err := newRelease(linuxPrograms(dir))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.writeSBOM(&out); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "sbom.golden", out.Bytes())
}
