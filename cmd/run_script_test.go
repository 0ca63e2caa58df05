package cmd

import (
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/daemontest"
	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// TestRunScripts builds images, and runs their processes in the tasks of a sandbox.
func TestRunScripts(t *testing.T) {
	t.Parallel()
	engine := enginetest.Shared(t)
	options := sandbox.Options{ECSSpeed: 40, Run: true, Runc: testkit.PinnedRunc()}
	daemontest.Require(t, testkit.StartSandbox(t, options).NotRunning(), daemontest.Required())
	runScripts(t, "run", runCommands(), func(env *testscript.Env) error {
		env.Setenv("BUILDKIT_HOST", engine.Addr)
		return sandboxEnvironmentWith(t, env, options)
	})
}

func runCommands() map[string]func(*testscript.TestScript, bool, []string) {
	out := maps.Clone(ecsCommands())
	out["app"] = writeApp
	out["answers"] = answers
	return out
}

// app FILE writes the program that testkit.App describes.
func writeApp(ts *testscript.TestScript, _ bool, args []string) {
	program, err := testkit.App()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(program), 0o755))
}

// answers CONTAINER TEXT checks the answer to an HTTP request to a container's port.
func answers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: answers CONTAINER TEXT")
	}
	ports := sandboxOf(ts).TaskPorts()
	i := slices.IndexFunc(ports, func(p sandbox.TaskPort) bool { return p.Container == args[0] })
	if i < 0 {
		ts.Fatalf("no port of %s in %+v", args[0], ports)
	}
	resp, err := http.Get("http://" + ports[i].Address)
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if got := strings.TrimSpace(string(text)); got != args[1] {
		ts.Fatalf("%s answers %q, want %q", args[0], got, args[1])
	}
}
