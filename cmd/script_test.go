package cmd

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
)

// TestScripts runs the command line as users do: the plan and bad input without AWS and
// engine, everything else against a sandbox of its own and a real BuildKit.
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "script", scriptCommands, bareEnvironment)
}

// runScripts runs the scripts of a directory below testdata, each in the environment
// that setup makes. With UPDATE_SCRIPTS, the expected output in the scripts is rewritten.
func runScripts(t *testing.T, dir string, commands map[string]func(*testscript.TestScript, bool, []string), setup func(*testscript.Env) error) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", dir),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands,
		Setup:               setup,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

func TestEngineScripts(t *testing.T) {
	t.Parallel()
	engine := enginetest.Shared(t)
	runScripts(t, "engine", ecsCommands(), func(env *testscript.Env) error {
		env.Setenv("BUILDKIT_HOST", engine.Addr)
		return sandboxEnvironment(t, env)
	})
}

// sandboxEnvironment starts a sandbox for a script.
func sandboxEnvironment(t *testing.T, env *testscript.Env) error {
	return sandboxEnvironmentWith(t, env, sandbox.Options{ECSSpeed: 40})
}

func sandboxEnvironmentWith(t *testing.T, env *testscript.Env, options sandbox.Options) error {
	if err := bareEnvironment(env); err != nil {
		return err
	}
	server, err := startSandbox(t, env, options)
	if err != nil {
		return err
	}
	host := strings.TrimPrefix(server.URL(), "http://")
	env.Setenv("REGISTRY", host)
	env.Values[ecsSandboxKey{}] = newECSSandbox(server, host)
	return nil
}

// startSandbox starts a sandbox that is closed when the script ends, and sets the
// variables that lead slipway to it.
func startSandbox(t *testing.T, env *testscript.Env, options sandbox.Options) (*sandbox.Server, error) {
	server, err := sandbox.Start(t.Context(), options)
	if err != nil {
		return nil, err
	}
	env.Defer(func() { _ = server.Close() })
	for _, line := range server.Env() {
		k, v, _ := strings.Cut(line, "=")
		env.Setenv(k, v)
	}
	env.Values[sandboxKey{}] = server
	return server, nil
}

type sandboxKey struct{}

// bareEnvironment leaves nothing of the host's AWS, docker and CodeBuild settings.
func bareEnvironment(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, ".home")
	env.Setenv("HOME", home)
	env.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	env.Setenv("NO_COLOR", "1")
	// The work directory lies below a temporary one: git must not look further up.
	env.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(env.WorkDir))
	return os.Mkdir(home, 0o700)
}

var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"exits":         exits,
	"tagged":        tagged,
	"sametag":       sameTag,
	"advance":       advance,
	"calls":         countCalls,
	"bucket":        bucket,
	"object":        putObject,
	"policy":        putPolicy,
	"many-services": manyServices,
	"registry":      writeRegistry,
	"holds":         holds,
	"digest":        setDigest,
	"probe":         writeProbe,
	"unzip":         unzip,
	"unquoted":      unquoteFile,
	"mkfifo":        makePipe,
	"large":         putLarge,
	"address":       putAddress,
}

// exits CODE slipway ARGS... runs a command that must end with just this code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s does not start: %v", args[1], err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func sandboxOf(ts *testscript.TestScript) *sandbox.Server {
	return ts.Value(sandboxKey{}).(*sandbox.Server)
}

// tagged REPOSITORY TAG... checks that the tags are there (or not, with !).
func tagged(ts *testscript.TestScript, neg bool, args []string) {
	tags := sandboxOf(ts).Tags(args[0])
	for _, tag := range args[1:] {
		if _, ok := tags[tag]; ok == neg {
			ts.Fatalf("tags of %s: %v", args[0], tags)
		}
	}
}

// sameTag REPOSITORY TAG TAG checks that two tags point to one digest (or not, with !).
func sameTag(ts *testscript.TestScript, neg bool, args []string) {
	tags := sandboxOf(ts).Tags(args[0])
	a, b := tags[args[1]], tags[args[2]]
	if a == "" || b == "" || (a == b) == neg {
		ts.Fatalf("tags of %s: %v", args[0], tags)
	}
}

// advance DURATION moves the sandbox's clock.
func advance(ts *testscript.TestScript, _ bool, args []string) {
	resp, err := http.Post(sandboxOf(ts).URL()+"/_sandbox/clock?advance="+args[0], "", nil)
	ts.Check(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("advance: %s, want %v", resp.Status, http.StatusOK)
	}
}

// calls SERVICE ACTION N checks how often an action was called since the last "calls reset".
func countCalls(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "reset" {
		sandboxOf(ts).ResetCalls()
		return
	}
	n := 0
	for _, c := range sandboxOf(ts).Calls() {
		if c.Service == args[0] && (args[1] == "*" || c.Action == args[1]) {
			n++
		}
	}
	if strconv.Itoa(n) != args[2] {
		var all []string
		for _, c := range sandboxOf(ts).Calls() {
			all = append(all, c.Service+" "+c.Action)
		}
		slices.Sort(all)
		ts.Fatalf("%s %s was called %d times, want %s; all calls: %s", args[0], args[1], n, args[2], strings.Join(all, ", "))
	}
}

// bucket NAME makes a bucket.
func bucket(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodPut, sandboxOf(ts).URL()+"/"+args[0], nil)
	ts.Check(err)
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("making bucket %s: %s, want %v", args[0], resp.Status, http.StatusOK)
	}
}

// unzip BUCKET KEY writes the files of a zip on S3 into the current directory.
func unzip(ts *testscript.TestScript, _ bool, args []string) {
	resp, err := http.Get(sandboxOf(ts).URL() + "/" + args[0] + "/" + args[1])
	ts.Check(err)
	defer resp.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(resp.Body)
	ts.Check(err)
	archive, err := zip.NewReader(bytes.NewReader(body.Bytes()), int64(body.Len()))
	ts.Check(err)
	for _, f := range archive.File {
		data, err := fs.ReadFile(archive, f.Name)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(f.Name), data, 0o644))
	}
}

// many-services N FILE writes a compose file of N services with long names.
func manyServices(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var b strings.Builder
	b.WriteString("name: many\nservices:\n")
	for i := range n {
		fmt.Fprintf(&b, "  service-with-a-rather-long-name-%d: {build: .}\n", i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o644))
}

// policy REPOSITORY FILE puts a lifecycle policy there, as somebody else would.
func putPolicy(ts *testscript.TestScript, _ bool, args []string) {
	_, err := scriptECR(ts).PutLifecyclePolicy(context.Background(), &ecr.PutLifecyclePolicyInput{
		RepositoryName:      aws.String(args[0]),
		LifecyclePolicyText: aws.String(ts.ReadFile(args[1])),
	})
	ts.Check(err)
}

// object BUCKET KEY puts an object into a bucket of the sandbox.
func putObject(ts *testscript.TestScript, _ bool, args []string) {
	r, err := http.NewRequest(http.MethodPut, sandboxOf(ts).URL()+"/"+args[0]+"/"+args[1], strings.NewReader("x"))
	ts.Check(err)
	resp, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("putting %s: %s, want %v", args[1], resp.Status, http.StatusOK)
	}
}
