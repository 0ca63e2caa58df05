package cmd

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// pipelineExample is a working copy of an example of examples/pipelines, with a sandbox that has
// what the example's account would: its repositories, its ECS services and its pipeline.
type pipelineExample struct {
	*ecsFixture
	declared declaredPipeline

	mu     sync.Mutex
	builds map[string]built // by execution
}

// declaredPipeline is what of an example's pipeline.json the tests go by.
type declaredPipeline struct {
	Pipeline struct {
		Name   string
		Stages []struct {
			Actions []struct {
				Name          string
				ActionTypeID  struct{ Category, Provider string }
				Configuration map[string]string
			}
		}
	}
}

// newPipelineExample takes the example's ECS services from its pipeline; their containers are
// called like the compose services given by ECS service.
func newPipelineExample(t *testing.T, example string, containers map[string][]string) *pipelineExample {
	t.Helper()
	s := newBuildFixture(t, example, sandbox.Options{ECSSpeed: 40})
	s.dir = t.TempDir()
	if err := os.CopyFS(s.dir, os.DirFS(filepath.Join("../examples/pipelines", example))); err != nil {
		t.Fatal(err)
	}
	y := &pipelineExample{ecsFixture: &ecsFixture{buildFixture: s, sandbox: newECSSandbox(s.aws, s.proxy.host())}, builds: map[string]built{}}
	y.declared.Pipeline.Name = example
	if data, err := os.ReadFile(filepath.Join(s.dir, "pipeline.json")); err == nil {
		if err := json.Unmarshal(data, &y.declared); err != nil {
			t.Fatal(err)
		}
	}
	for service, names := range containers {
		b := ecsServiceFixture{cluster: strings.Split(names[0], "/")[0], service: service}
		for _, repository := range names {
			if err := y.sandbox.pushImage(t.Context(), repository, "zero", true, nil); err != nil {
				t.Fatal(err)
			}
			b.containers = append(b.containers, filepath.Base(repository)+"="+repository+":latest")
		}
		y.createService(b)
	}
	y.aws.Advance(10 * time.Minute)
	return y
}

// deployments are the configurations of the pipeline's ECS actions, by name.
func (y *pipelineExample) deployments() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, stage := range y.declared.Pipeline.Stages {
		for _, a := range stage.Actions {
			if a.ActionTypeID.Provider == "ECS" {
				out[a.Name] = a.Configuration
			}
		}
	}
	return out
}

// source is the configuration of the pipeline's source.
func (y *pipelineExample) source() map[string]string {
	return y.declared.Pipeline.Stages[0].Actions[0].Configuration
}

// pipeline makes the example's pipeline from its pipeline.json, as `aws codepipeline
// create-pipeline --cli-input-json` does, with a bucket for its S3 source and actions that
// do their work: build, and CodePipeline's ECS action on what files gives it.
func (y *pipelineExample) pipeline(build func(sandbox.PipelineWork) error, files func(sandbox.PipelineWork) (map[string][]byte, error)) {
	y.t.Helper()
	if bucket := y.source()["S3Bucket"]; bucket != "" {
		if err := makeVersioned(y.aws, bucket); err != nil {
			y.t.Fatal(err)
		}
	}
	body, err := os.Open(filepath.Join(y.dir, "pipeline.json"))
	if err != nil {
		y.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(y.t.Context(), http.MethodPost, y.aws.URL(), body)
	if err != nil {
		y.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "CodePipeline_20150709.CreatePipeline")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=sandbox/20261120/us-east-1/codepipeline/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		y.t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		y.t.Fatalf("got %s, want 200 OK: %s", resp.Status, answer)
	}
	name := y.declared.Pipeline.Name
	y.aws.SetPipelineAction(name, "Build", sandbox.PipelineAction{Run: build})
	for action, configuration := range y.deployments() {
		y.aws.SetPipelineAction(name, action, sandbox.PipelineAction{Run: func(w sandbox.PipelineWork) error {
			artifact, err := files(w)
			if err != nil {
				return err
			}
			return deployAction(context.Background(), y.sandbox, configuration, artifact)
		}})
	}
}

// keep notes what a build left for the actions behind it.
func (y *pipelineExample) keep(w sandbox.PipelineWork, b built) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.builds[w.ExecutionID] = b
}

// outputFiles are the artifacts of the build of an execution.
func (y *pipelineExample) outputFiles(w sandbox.PipelineWork) (map[string][]byte, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.builds[w.ExecutionID].artifacts, nil
}

// codeBuild runs the buildspec of a source in a build container of its own.
func (y *pipelineExample) codeBuild(dir string, env ...string) (built, error) {
	b := codeBuild{dir: dir, home: y.t.TempDir()}
	for _, line := range y.env {
		if !strings.HasPrefix(line, "PATH=") && !strings.HasPrefix(line, "HOME=") {
			b.env = append(b.env, line)
		}
	}
	b.env = append(b.env, env...)
	return b.run(context.Background())
}

// object is a version of an object, unpacked into memory.
func (y *pipelineExample) object(bucket, key, version string) (*zip.Reader, error) {
	out, err := s3.NewFromConfig(testkit.AWSConfig(y.aws.URL())).GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key, VersionId: &version})
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(out.Body)
	if err := errors.Join(err, out.Body.Close()); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(body), int64(len(body)))
}

// unpack writes an archive to a directory, with its modes and links.
func unpack(archive *zip.Reader, dir string) error {
	for _, f := range archive.File {
		path := filepath.Join(dir, f.Name)
		if f.Mode().IsDir() {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
			continue
		}
		data, err := fs.ReadFile(archive, f.Name)
		if f.Mode().Type() == fs.ModeSymlink {
			err = errors.Join(err, os.Symlink(string(data), path))
		} else {
			err = errors.Join(err, os.WriteFile(path, data, f.Mode().Perm()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// runs checks that all tasks of the ECS services run the images of a revision.
func (y *pipelineExample) runs(revision string) {
	y.t.Helper()
	for _, c := range y.deployments() {
		running, err := y.sandbox.runs(y.t.Context(), c["ClusterName"], c["ServiceName"])
		if err != nil || len(running) == 0 {
			y.t.Fatalf("%s/%s runs %v, %v, want images", c["ClusterName"], c["ServiceName"], running, err)
		}
		for container, digests := range running {
			want := y.aws.Tags(c["ClusterName"] + "/" + container)[revision]
			if digests = slices.Compact(slices.Sorted(slices.Values(digests))); want == "" || len(digests) != 1 || digests[0] != want {
				y.t.Errorf("%s runs %v, want %s's %q", container, digests, revision, want)
			}
		}
	}
}

// wantTagOf checks which revision a tag points to in a repository.
func (y *pipelineExample) wantTagOf(repository, tag, revision string) {
	y.t.Helper()
	tags := y.aws.Tags(repository)
	if tags[revision] == "" || tags[tag] != tags[revision] {
		y.t.Errorf("%s: %s stands on %q, want %s's %q", repository, tag, tags[tag], revision, tags[revision])
	}
}

// images checks a definitions file.
func (y *pipelineExample) images(data []byte, revision string, repositories ...string) {
	y.t.Helper()
	var want []string
	for _, r := range repositories {
		want = append(want, fmt.Sprintf(`{"name":%q,"imageUri":"%s/%s:%s"}`, filepath.Base(r), y.proxy.host(), r, revision))
	}
	if got := strings.Join(strings.Fields(string(data)), ""); got != "["+strings.Join(want, ",")+"]" {
		y.t.Errorf("definitions %s, want %s", got, want)
	}
}

// executions waits for all executions of the pipeline to end and returns them, newest
// first.
func (y *pipelineExample) executions() []types.PipelineExecutionSummary {
	y.t.Helper()
	client := codepipeline.NewFromConfig(testkit.AWSConfig(y.aws.URL()))
	deadline := time.Now().Add(2 * time.Minute)
	for {
		out, err := client.ListPipelineExecutions(y.t.Context(), &codepipeline.ListPipelineExecutionsInput{PipelineName: aws.String(y.declared.Pipeline.Name)})
		if err != nil {
			y.t.Fatal(err)
		}
		all := out.PipelineExecutionSummaries
		if !slices.ContainsFunc(all, func(s types.PipelineExecutionSummary) bool {
			return s.Status == types.PipelineExecutionStatusInProgress
		}) {
			return all
		}
		if time.Now().After(deadline) {
			y.t.Fatalf("the pipeline does not end: %+v", all)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
