package daemontest

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Dir makes a directory whose sockets, with 35 bytes of path below it, stay
// under the 108 bytes that Linux allows, also where TMPDIR is long.
func Dir(prefix string) (string, error) {
	parent := os.TempDir()
	if len(parent) > 50 {
		parent = "/tmp"
	}
	return os.MkdirTemp(parent, prefix)
}

// RemoveAll removes also directories of images that an ordinary user may not
// write to.
func RemoveAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			os.Chmod(path, 0o700) // if that fails, so will the removal below
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// Environment returns the environment of a daemon, without the variables that
// would make it behave differently on another machine. Programs in bins come
// first, and temporary files are in dir.
func Environment(dir string, bins ...string) []string {
	env := []string{
		"PATH=" + strings.Join(append(bins, os.Getenv("PATH")), string(os.PathListSeparator)),
		"HOME=" + dir, "TMPDIR=" + dir, "XDG_RUNTIME_DIR=" + dir,
	}
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasSuffix(strings.ToLower(name), "_proxy") || strings.HasPrefix(name, "SSL_CERT_") {
			env = append(env, e)
		}
	}
	return env
}

// FreePort returns an address, "tcp://127.0.0.1:…", at which no process listens.
func FreePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return "tcp://" + l.Addr().String(), l.Close()
}

// workDir is the directory in which the test binary was started; tests may change
// it.
var workDir, _ = os.Getwd()

// Tools returns .tools in the root of Slipway's source, in which the tests run.
func Tools() (string, error) {
	root, err := moduleRoot(workDir)
	return filepath.Join(root, ".tools"), err
}

var moduleLine = regexp.MustCompile(`(?m)^module slipway$`)

// moduleRoot returns the directory of Slipway's go.mod at or above dir.
func moduleRoot(dir string) (string, error) {
	for d := dir; ; d = filepath.Dir(d) {
		if mod, err := os.ReadFile(filepath.Join(d, "go.mod")); err == nil && moduleLine.Match(mod) {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("%s is not in Slipway's source", dir)
		}
	}
}
