package solve_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"slipway/build/solve"
	"slipway/internal/testkit"
)

// A step that ran in a namespace is not used by other builds, whatever the project
// says of it.
func TestNamespaceKeepsStepsApart(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	stamp := func(namespace, head, keys string) string {
		t.Helper()
		list := plan(t, testkit.WriteTree(t, withProbe(t, map[string]string{
			"compose.yaml": "services: {app: {build: {context: ." + keys + "}}}",
			"Dockerfile":   head + "FROM scratch\nCOPY --chmod=755 probe /probe\nRUN [\"/probe\", \"see\", \"time\", \"/namespace\"]\n",
		})))
		return o.files(t, o.mustBuild(t, list, solve.RunOptions{Namespace: namespace})["app"])["namespace"]
	}
	const syntax = "# syntax=frontend.invalid/any:1\n"
	evil := stamp("pr12", syntax, ", args: {BUILDKIT_SANDBOX_HOSTNAME: buildkitsandbox, BUILDKIT_CACHE_MOUNT_NS: '', BUILDKIT_SYNTAX: 'frontend.invalid/any:1'}")
	if again := stamp("pr12", syntax, ""); again != evil {
		t.Errorf("in one namespace, %s became %s", evil, again)
	}
	good := stamp("", "", "")
	if good == evil {
		t.Error("a build outside took a step of the namespace")
	}
	if again := stamp("", "", ""); again != good {
		t.Errorf("outside, %s became %s", good, again)
	}
	if other := stamp("pr13", "", ""); other == good || other == evil {
		t.Error("a second namespace took a step of another one")
	}
}

// What a step leaves in a cache mount stays in its namespace.
func TestNamespaceKeepsCacheMountsApart(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	buildStep := func(namespace, step string) error {
		list := plan(t, testkit.WriteTree(t, withProbe(t, map[string]string{
			"compose.yaml": "services: {app: {build: .}}",
			"Dockerfile":   "FROM scratch\nCOPY --chmod=755 probe /probe\nRUN --mount=type=cache,id=" + t.Name() + ",target=/kept " + step + "\n",
		})))
		return o.build(t.Context(), t, list, solve.RunOptions{Namespace: namespace})["app"].Err
	}
	if err := buildStep("pr12", `["/probe", "see", "time", "/kept/file"]`); err != nil {
		t.Fatal(err)
	}
	const read = `["/probe", "see", "file", "/kept/file", "/seen"]`
	if err := buildStep("pr12", read); err != nil {
		t.Errorf("the namespace cannot read its own: %v", err)
	}
	var failed *solve.FailedError
	if err := buildStep("", read); !errors.As(err, &failed) {
		t.Errorf("a build outside read what the namespace kept: %v", err)
	}
}

// A file that a build in a namespace sent is sent again by others, though its size and
// time are the same.
func TestNamespaceKeepsFilesApart(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	dir := testkit.WriteTree(t, map[string]string{"compose.yaml": "services: {app: {build: .}}", "Dockerfile": "FROM scratch\nCOPY file /file\n"})
	content := func(namespace, text string) string {
		t.Helper()
		path, at := filepath.Join(dir, "file"), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
		return o.files(t, o.mustBuild(t, plan(t, dir), solve.RunOptions{Namespace: namespace})["app"])["file"]
	}
	if got := content("pr12", "evil"); got != "evil" {
		t.Fatalf("got %q, want evil", got)
	}
	if got := content("", "good"); got != "good" {
		t.Errorf("a build outside got the file of the namespace: %q", got)
	}
}
