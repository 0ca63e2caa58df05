package cmd

import (
	"os"
	"path/filepath"
	"testing"

	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// TestUntrustedOwnEngine: with slipway's own engine and one state directory, a trusted
// build runs the steps that a pull request's build has run, for itself.
func TestUntrustedOwnEngine(t *testing.T) {
	t.Parallel()
	enginetest.Require(t)
	s := newBuildFixtureOn(t, "untrusted own", sandbox.Options{}, "")
	program, err := testkit.Probe()
	if err != nil {
		t.Fatal(err)
	}
	s.writeServices("untrusted own", []string{"a"})
	state := testkit.ShortDir(t)
	build := func(args ...string) {
		t.Helper()
		s.start(append([]string{toolsPath(t), "SLIPWAY_ENGINE=own", "SLIPWAY_ENGINE_STATE=" + state, "build", "--progress", "plain"}, args...)...).wait(exitDone)
	}
	build("--hash", "zero", "--create-repositories")
	s.write("a/probe", program)
	s.write("a/Dockerfile", "FROM scratch\nCOPY --chmod=755 probe /probe\nRUN [\"/probe\",\"see\",\"time\",\"/time\"]\n")
	build("--hash", "one", "--untrusted", "--project-name", "shop")
	build("--hash", "one")
	build("--hash", "two")
	tags := s.tags()
	if one := tags["shop/a:one"]; one == "" || one == tags["shop/a:untrusted-one"] || one != tags["shop/a:two"] {
		t.Errorf("want one and two alike, and untrusted-one of its own: %v", tags)
	}
	if _, err := os.Stat(filepath.Join(state, "untrusted", "root")); err != nil {
		t.Errorf("the engine of the untrusted build kept no state of its own: %v", err)
	}
}
