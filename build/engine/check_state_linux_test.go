package engine

import (
	"os"
	"path/filepath"
	"testing"
)

// The state directory is tried only where a managed engine is named and could be
// started; nothing is left in it.
func TestCheckState(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "buildkitd")
	if err := os.WriteFile(binary, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good, bad := filepath.Join(dir, "good"), filepath.Join(file, "state")
	for name, tt := range map[string]struct {
		options Options
		fails   bool
		makes   bool
	}{
		"named":              {Options{Address: "managed", Binary: binary, StateDir: good}, false, true},
		"named, not to make": {Options{Address: "managed", Binary: binary, StateDir: bad}, true, false},
		"named, read-only":   {Options{Address: "managed", Binary: binary, StateDir: "/proc/self"}, true, false},
		"for a platform":     {Options{Address: "linux/amd64=own,linux/arm64=docker", Binary: binary, StateDir: bad}, true, false},
		"another is named":   {Options{Address: "docker", Binary: binary, StateDir: bad}, false, false},
		"searched for":       {Options{Binary: binary, StateDir: bad}, false, false},
		"no binary":          {Options{Address: "managed", Binary: file, StateDir: bad}, false, false},
	} {
		if err := tt.options.CheckState(); (err != nil) != tt.fails {
			t.Errorf("%s: CheckState = %v, want an error: %v", name, err, tt.fails)
		}
		entries, err := os.ReadDir(good)
		if made := err == nil; made != tt.makes || len(entries) > 0 {
			t.Errorf("%s: the directory is there: %v, with %v", name, made, entries)
		}
		if err := os.RemoveAll(good); err != nil {
			t.Fatal(err)
		}
	}
}
