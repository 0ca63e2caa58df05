package cmd

import (
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

// nobody is a user without any right of its own.
const nobody = 65534

// TestOwnEngineRootless has an ordinary user build with a managed engine. Where
// the tests themselves are an ordinary user's, that is what TestEveryEngine does.
func TestOwnEngineRootless(t *testing.T) {
	t.Parallel()
	enginetest.Require(t)
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user runs these tests: TestEveryEngine has shown it")
	}
	on := engineCase{env: []string{toolsPath(t)}, flags: []string{"--engine", "managed", "--progress", "plain", "--create-repositories"}}
	s := newEngineFixture(t, "rootless", on)
	home := testkit.ShortDir(t)
	program := filepath.Join(home, "slipway")
	copyProgram(t, program)
	for _, dir := range []string{home, s.dir, s.home} {
		giveAway(t, dir)
	}
	// The directory of all temporary directories of the test is its user's alone.
	if err := os.Chmod(filepath.Dir(s.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(hash string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, append([]string{"build", "--hash", hash, "--engine-state", filepath.Join(home, "e")}, on.flags...)...)
		cmd.Dir = s.dir
		cmd.Env = append(append(s.env, on.env...), "BUILDKIT_HOST=", "HOME="+home, "TMPDIR="+home)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s as an ordinary user: %v\n%s", cmd, err, out)
		}
	}
	run("one")
	s.complete("one", true)
	if got := s.holds("shop/b", "one", "greeting"); got != "hello" {
		t.Errorf("the step saw %q, want hello", got)
	}
	if pid := processOf(filepath.Join(home, "e")); pid != "" {
		t.Errorf("the engine runs on: %s", pid)
	}
}

// copyProgram puts this binary, which is slipway when it is called so, where everybody
// can run it.
func copyProgram(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func giveAway(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// processOf finds a process whose command line names a directory.
func processOf(dir string) string {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well formed
	for _, line := range lines {
		if text, err := os.ReadFile(line); err == nil && len(text) > 0 && strings.Contains(string(text), dir) {
			return line + ": " + string(text)
		}
	}
	return ""
}
