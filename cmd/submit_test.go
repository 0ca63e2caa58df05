package cmd

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rogpeppe/go-internal/testscript"

	"slipway/artifact/source"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// TestSubmitScripts runs submit as users type it, against S3 and CodePipeline of a
// sandbox.
func TestSubmitScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "submit", submitCommands(), func(env *testscript.Env) error {
		if err := bareEnvironment(env); err != nil {
			return err
		}
		_, err := startSandbox(t, env, sandbox.Options{})
		return err
	})
}

func submitCommands() map[string]func(*testscript.TestScript, bool, []string) {
	out := maps.Clone(scriptCommands)
	out["versioned"] = versioned
	out["pipeline"] = pipeline
	out["action"] = pipelineAction
	out["fault"] = nextFault
	out["zipped"] = zipped
	out["noise"] = noise
	out["socket"] = socket
	return out
}

// versioned BUCKET makes a bucket that keeps versions.
func versioned(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(makeVersioned(sandboxOf(ts), args[0]))
}

func makeVersioned(server *sandbox.Server, bucket string) error {
	return testkit.CreateVersionedBucket(context.Background(), s3.NewFromConfig(testkit.AWSConfig(server.URL())), bucket)
}

// pipeline NAME BUCKET KEY makes a pipeline of a source, a build and a deployment.
func pipeline(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(makePipeline(context.Background(), sandboxOf(ts), args[0], args[1], args[2]))
}

func makePipeline(ctx context.Context, server *sandbox.Server, pipeline, bucket, key string) error {
	stage := func(name string, category types.ActionCategory, provider string, configuration map[string]string) types.StageDeclaration {
		return types.StageDeclaration{Name: &name, Actions: []types.ActionDeclaration{{
			Name: &name, Configuration: configuration,
			ActionTypeId: &types.ActionTypeId{Category: category, Owner: types.ActionOwnerAws, Provider: &provider, Version: aws.String("1")},
		}}}
	}
	client := codepipeline.NewFromConfig(testkit.AWSConfig(server.URL()))
	_, err := client.CreatePipeline(ctx, &codepipeline.CreatePipelineInput{Pipeline: &types.PipelineDeclaration{
		Name: aws.String(pipeline), RoleArn: aws.String("arn:aws:iam::000000000000:role/pipeline"),
		Stages: []types.StageDeclaration{
			stage("Source", types.ActionCategorySource, "S3", map[string]string{"S3Bucket": bucket, "S3ObjectKey": key}),
			stage("Build", types.ActionCategoryBuild, "CodeBuild", nil),
			stage("Deploy", types.ActionCategoryDeploy, "ECS", nil),
		},
	}})
	return err
}

// action PIPELINE ACTION TAKES [ERROR [URL]] says how an action will go.
func pipelineAction(ts *testscript.TestScript, _ bool, args []string) {
	takes, err := time.ParseDuration(args[2])
	ts.Check(err)
	a := sandbox.PipelineAction{Takes: takes}
	if len(args) > 3 {
		a.Error = args[3]
	}
	if len(args) > 4 {
		a.URL = args[4]
	}
	sandboxOf(ts).SetPipelineAction(args[0], args[1], a)
}

// fault SERVICE ACTION ERROR lets the next call end so.
func nextFault(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(sandboxOf(ts).Fault(sandbox.Fault{Service: args[0], Action: args[1], Count: 1, Error: args[2]}))
}

// zipped BUCKET KEY FILE writes what is in an archive on S3 to a file: mode and name.
func zipped(ts *testscript.TestScript, _ bool, args []string) {
	out, err := s3.NewFromConfig(testkit.AWSConfig(sandboxOf(ts).URL())).GetObject(context.Background(), &s3.GetObjectInput{Bucket: &args[0], Key: &args[1]})
	ts.Check(err)
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	ts.Check(err)
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	ts.Check(err)
	var list strings.Builder
	for _, f := range archive.File {
		list.WriteString(f.Mode().String() + " " + f.Name + "\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(list.String()), 0o644))
}

// noise FILE writes nine megabytes that no compressor makes smaller.
func noise(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(writeNoise(ts.MkAbs(args[0])))
}

func writeNoise(path string) error {
	data := make([]byte, 9<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return os.WriteFile(path, data, 0o644)
}

// socket FILE makes one.
func socket(ts *testscript.TestScript, _ bool, args []string) {
	// A socket's address is short: it is made elsewhere and moved.
	dir, err := os.MkdirTemp("", "s")
	ts.Check(err)
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Check(os.Rename(filepath.Join(dir, "s"), ts.MkAbs(args[0])))
}

// TestSubmitKilled kills the process, and interrupts it, in the middle of an upload: the
// object is what it was, no temporary file is left, and the same command then converges.
func TestSubmitKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		signal os.Signal
		code   int
	}{{"killed", os.Kill, -1}, {"interrupted", os.Interrupt, exitInterrupted}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, err := sandbox.Start(t.Context(), sandbox.Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if err := makeVersioned(server, "source"); err != nil {
				t.Fatal(err)
			}
			client := s3.NewFromConfig(testkit.AWSConfig(server.URL()))
			before, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("source"), Key: aws.String("shop.zip"), Body: strings.NewReader("before")})
			if err != nil {
				t.Fatal(err)
			}
			dir, tmp := t.TempDir(), t.TempDir()
			if err := writeNoise(filepath.Join(dir, "noise")); err != nil {
				t.Fatal(err)
			}
			submit := func(endpoint string) *exec.Cmd {
				cmd := exec.CommandContext(t.Context(), "slipway", "submit", "s3://source/shop.zip", dir)
				cmd.Env = append(append(os.Environ(), server.Env()...), "AWS_ENDPOINT_URL="+endpoint, "TMPDIR="+tmp)
				return cmd
			}

			// The second part is held back until the process has gone.
			reached, gone := make(chan struct{}), make(chan struct{})
			proxy := holdPart(t, server.URL(), reached, gone)
			cmd := submit(proxy)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case <-reached:
			case err := <-ended:
				t.Fatalf("it ended before the second part: %v\n%s", err, stderr.String())
			}
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			err = <-ended
			close(gone)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != c.code {
				t.Errorf("ended with %v, want code %d\n%s", err, c.code, stderr.String())
			}
			now, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("source"), Key: aws.String("shop.zip")})
			if err != nil || aws.ToString(now.VersionId) != aws.ToString(before.VersionId) {
				t.Errorf("the object is version %q, %v; want %q", aws.ToString(now.VersionId), err, aws.ToString(before.VersionId))
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			out, err := submit(server.URL()).Output()
			if err != nil {
				t.Fatal(err)
			}
			now, err = client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("source"), Key: aws.String("shop.zip")})
			if err != nil || aws.ToString(now.VersionId)+"\n" != string(out) {
				t.Errorf("then: version %q, printed %q, %v", aws.ToString(now.VersionId), out, err)
			}
		})
	}
}

// holdPart is a proxy that tells when the second part of an upload comes, and keeps it
// until gone is closed.
func holdPart(t *testing.T, target string, reached, gone chan struct{}) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, ErrorHandler: func(http.ResponseWriter, *http.Request, error) {}}
	var once sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("partNumber") == "2" {
			once.Do(func() { close(reached) })
			<-gone
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestPipelineFailed(t *testing.T) {
	action := func(category types.ActionCategory) source.PipelineAction {
		return source.PipelineAction{Stage: "S", Name: string(category), Category: category, Message: "no"}
	}
	for _, c := range []struct {
		status types.PipelineExecutionStatus
		failed []source.PipelineAction
		code   int
		text   string
	}{
		{types.PipelineExecutionStatusFailed, []source.PipelineAction{action(types.ActionCategoryBuild)}, exitBuild, `pipeline "shop": execution x ended Failed; S/Build failed: no`},
		{types.PipelineExecutionStatusFailed, []source.PipelineAction{action(types.ActionCategoryTest), action(types.ActionCategoryDeploy)}, exitRollout, `pipeline "shop": execution x ended Failed; S/Test failed: no; S/Deploy failed: no`},
		{types.PipelineExecutionStatusFailed, nil, exitRollout, `pipeline "shop": execution x ended Failed`},
		{types.PipelineExecutionStatusSuperseded, nil, exitRollout, `pipeline "shop": execution x ended Superseded`},
	} {
		err := &source.PipelineFailedError{Pipeline: "shop", Run: source.PipelineRun{ExecutionID: "x", Status: c.status, Failed: c.failed}}
		if code := exitCode(t.Context(), err); code != c.code || err.Error() != c.text {
			t.Errorf("got %d %s, want %d %s", code, err, c.code, c.text)
		}
		if (c.status == types.PipelineExecutionStatusSuperseded) != (err.Hint() != "") {
			t.Errorf("hint %q", err.Hint())
		}
	}
}
