package cmd

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/sandbox"
	"slipway/project"
)

// TestPipelineBuildspecs: each example's buildspec is what slipway writes for it, and
// stands its own check.
func TestPipelineBuildspecs(t *testing.T) {
	for example, args := range map[string][]string{
		"s3-source":    nil,
		"git-source":   nil,
		"pull-request": {"--", "--untrusted"},
	} {
		t.Run(example, func(t *testing.T) {
			t.Chdir(filepath.Join("../examples/pipelines", example))
			dir, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			slipway := func(args ...string) string {
				var stdout, stderr bytes.Buffer
				w := &cli{stdout: &stdout, stderr: &stderr, Host: project.Host{Dir: dir}}
				if code := run(t.Context(), w, args); code != exitDone {
					t.Fatalf("exit code %d, %s, want %v", code, stderr.String(), exitDone)
				}
				return stdout.String()
			}
			file, err := os.ReadFile("buildspec.yml")
			if want := slipway(append([]string{"buildspec"}, args...)...); err != nil || string(file) != want {
				t.Errorf("buildspec.yml is not what is written, %v:\n%s", err, want)
			}
			if findings := slipway("buildspec", "--check", "buildspec.yml"); findings != "" {
				t.Errorf("buildspec --check found in the generated buildspec:\n%s", findings)
			}
		})
	}
}

// TestPipelineFromS3: submit → source → CodeBuild → ECS action, a change, a build that
// fails, and the way back.
func TestPipelineFromS3(t *testing.T) {
	t.Parallel()
	y := newPipelineExample(t, "s3-source", map[string][]string{"shop": {"shop/web", "shop/api"}})
	y.pipeline(y.buildFromS3, y.outputFiles)
	// A working copy has more in it than a pipeline wants.
	y.write(".git/HEAD", "ref: refs/heads/main\n")
	submit := func(codes ...int) string {
		t.Helper()
		r := y.start("submit", "--wait", "--pipeline", "shop", "s3://my-source/shop.zip").wait(codes...)
		return strings.TrimSpace(r.stdout.String())
	}

	first := hashOf(submit(exitDone))
	y.runs(first)
	y.last(1, func(b built) {
		if b.variables["SLIPWAY_HASH"] != first || b.variables["SLIPWAY_REVISION"] != first {
			t.Errorf("exported %v, want %s", b.variables, first)
		}
		y.images(b.artifacts["imagedefinitions.json"], first, "shop/api", "shop/web")
	})
	for _, repository := range []string{"shop/web", "shop/api"} {
		y.wantTagOf(repository, "latest", first)
		y.wantTagOf(repository, "previous-latest", "zero")
	}

	// Nothing changed: nothing is sent, and nothing starts.
	if again := hashOf(submit(exitDone)); again != first {
		t.Errorf("hash %s, want %s", again, first)
	}
	y.last(1, nil)

	// One service changes.
	y.write("web/index.html", "<p>Closed.\n")
	second := hashOf(submit(exitDone))
	y.runs(second)
	y.wantTagOf("shop/api", first, second)
	if tags := y.aws.Tags("shop/web"); tags[first] == tags[second] {
		t.Errorf("web is still %s", tags[first])
	}

	// One that cannot be built: nothing moves, nothing is handed on.
	y.write("api/Dockerfile", "FROM scratch\nCOPY nothing-there /\n")
	submit(exitBuild)
	y.runs(second)
	y.last(3, func(b built) {
		if len(b.artifacts) > 0 || len(b.variables) > 0 || !strings.Contains(b.log, "==== slipway build FAILED with exit code 3: revision ") {
			t.Errorf("left %v and exported %v\n%s", b.artifacts, b.variables, b.log)
		}
	})
	y.wantTagOf("shop/web", "latest", second)

	// Back to the first, from a laptop that has no source of it.
	y.start("rollback", first, "--cluster", "shop", "--ecs-service", "shop").wait(exitDone)
	y.runs(first)
	y.wantTagOf("shop/web", "latest", first)
}

// buildFromS3 is the pipeline's build of its S3 source.
func (y *pipelineExample) buildFromS3(w sandbox.PipelineWork) error {
	source := y.source()
	archive, err := y.object(source["S3Bucket"], source["S3ObjectKey"], w.Version)
	if err != nil {
		return err
	}
	dir := y.t.TempDir()
	if err := unpack(archive, dir); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, ".git")); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the source has a .git: %w", err)
	}
	b, err := y.codeBuild(dir, "CODEBUILD_INITIATOR=codepipeline/shop", "CODEBUILD_RESOLVED_SOURCE_VERSION="+w.Version,
		"CODEBUILD_SOURCE_VERSION=arn:aws:s3:::my-artifacts/shop/Source/0a1b2c3")
	y.keep(w, b)
	return err
}

// hashOf is the hash that a version of an object gives a build.
func hashOf(version string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(version)))[:12]
}

// last checks how many executions there were, and the build of the last.
func (y *pipelineExample) last(n int, check func(built)) {
	y.t.Helper()
	all := y.executions()
	if len(all) != n {
		y.t.Fatalf("%d executions, want %d", len(all), n)
	}
	if check != nil {
		y.mu.Lock()
		defer y.mu.Unlock()
		check(y.builds[*all[0].PipelineExecutionId])
	}
}

// git runs git in the working copy.
func (y *pipelineExample) git(args ...string) string {
	y.t.Helper()
	cmd := exec.CommandContext(y.t.Context(), "git", append([]string{"-C", y.dir, "-c", "user.name=n", "-c", "user.email=e@example.com"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		y.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits all that is there and returns its id.
func (y *pipelineExample) commit() string {
	y.t.Helper()
	y.git("add", "--all")
	y.git("commit", "--quiet", "--message", "m")
	return y.git("rev-parse", "HEAD")
}

// buildFromGit is the pipeline's build of a commit, in a clone or, without .git, in what
// the zip of the commit holds.
func (y *pipelineExample) buildFromGit(clone bool) func(sandbox.PipelineWork) error {
	return func(w sandbox.PipelineWork) error {
		dir := y.t.TempDir()
		script := `git clone --quiet "$1" "$2" && git -C "$2" checkout --quiet --detach "$3"`
		if !clone {
			script = `git -C "$1" archive --format zip --output "$2.zip" "$3"`
		}
		if out, err := exec.Command("sh", "-c", script, "sh", y.dir, dir, w.Version).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		if !clone {
			archive, err := zip.OpenReader(dir + ".zip")
			if err != nil {
				return err
			}
			defer archive.Close()
			if err := unpack(&archive.Reader, dir); err != nil {
				return err
			}
		}
		b, err := y.codeBuild(dir, "CODEBUILD_INITIATOR=codepipeline/stores", "CODEBUILD_RESOLVED_SOURCE_VERSION="+w.Version,
			"CODEBUILD_SOURCE_VERSION=arn:aws:s3:::my-artifacts/stores/Source/0a1b2c3")
		y.keep(w, b)
		return err
	}
}

// push tells the pipeline of a commit and waits for the end of the n-th execution.
func (y *pipelineExample) push(n int, commit string) {
	y.t.Helper()
	if err := y.aws.Push(y.declared.Pipeline.Name, commit); err != nil {
		y.t.Fatal(err)
	}
	y.last(n, func(b built) {
		if b.variables["SLIPWAY_HASH"] != commit[:12] || b.variables["SLIPWAY_REVISION"] != commit[:12] {
			y.t.Errorf("exported %v, want %s\n%s", b.variables, commit[:12], b.log)
		}
	})
}

// TestPipelineFromGit: a checkout → CodeBuild → an ECS action for each service; then the
// zip of a commit, which has no .git, and the way back.
func TestPipelineFromGit(t *testing.T) {
	t.Parallel()
	y := newPipelineExample(t, "git-source", map[string][]string{"foodstore": {"stores/foodstore"}, "petstore": {"stores/petstore"}})
	y.pipeline(y.buildFromGit(true), y.outputFiles)
	y.git("init", "--quiet", "--initial-branch", "main")

	one := y.commit()
	first := one[:12]
	y.push(1, one)
	y.runs(first)
	y.last(1, func(b built) {
		if len(b.artifacts) != 2 {
			t.Errorf("left %d files", len(b.artifacts))
		}
		y.images(b.artifacts["imagedefinitions-petstore.json"], first, "stores/petstore")
	})

	y.aws.SetPipelineAction("stores", "Build", sandbox.PipelineAction{Run: y.buildFromGit(false)})
	y.write("petstore/pets.json", `["hamster"]`)
	two := y.commit()
	second := two[:12]
	y.push(2, two)
	y.runs(second)
	y.wantTagOf("stores/foodstore", first, second) // touched by no change

	y.start("rollback", "--previous", "--cluster", "stores", "--ecs-service", "petstore").wait(exitDone)
	y.wantTagOf("stores/petstore", "latest", first)
	y.start("rollback", first).wait(exitDone)
	y.runs(first)
}

// TestPipelineFromALaptop: build on a laptop → definitions on S3 → ECS action, again, and
// the way back, which starts no pipeline.
func TestPipelineFromALaptop(t *testing.T) {
	t.Parallel()
	y := newPipelineExample(t, "laptop", map[string][]string{"blog": {"blog/web"}})
	y.pipeline(nil, func(w sandbox.PipelineWork) (map[string][]byte, error) {
		archive, err := y.object(y.source()["S3Bucket"], y.source()["S3ObjectKey"], w.Version)
		if err != nil {
			return nil, err
		}
		data, err := fs.ReadFile(archive, "imagedefinitions.json")
		return map[string][]byte{"imagedefinitions.json": data}, err
	})
	y.git("init", "--quiet")

	first := y.commit()[:12]
	y.start("build").wait(exitUsage).says("--allow s3=s3://my-definitions/blog/imagedefinitions.zip")
	y.env = append(y.env, "SLIPWAY_ALLOW=s3=s3://my-definitions/blog") // as its README says
	y.start("build").wait(exitDone).says("uploaded s3://my-definitions/blog/imagedefinitions.zip (version ")
	y.last(1, nil)
	y.runs(first)

	y.write("web/index.html", "<p>Second post.\n")
	second := y.commit()[:12]
	y.start("build").wait(exitDone)
	y.last(2, nil)
	y.runs(second)
	y.wantTagOf("blog/web", "previous-latest", first)

	y.start("rollback", "--previous", "--yes").wait(exitDone)
	y.runs(first)
	y.wantTagOf("blog/web", "latest", first)
	y.last(2, nil)
}

// TestPullRequest: pushes and tags with a name of its own, and nothing else; merged, the
// same commit is built again, under the commit's hash.
func TestPullRequest(t *testing.T) {
	t.Parallel()
	y := newPipelineExample(t, "pull-request", map[string][]string{"forum": {"forum/web"}})
	y.git("init", "--quiet")
	deployment := func() string {
		s, err := y.sandbox.service(t.Context(), "forum", "forum")
		if err != nil || len(s.Deployments) != 1 {
			t.Fatalf("service forum is %+v, %v, want one deployment", s, err)
		}
		return *s.Deployments[0].Id
	}
	before, deployed := y.aws.Tags("forum/web"), deployment()
	commit := y.commit()
	hash := commit[:12]
	checkout := filepath.Join(t.TempDir(), "src")
	y.git("clone", "--quiet", y.dir, checkout)
	b, err := y.codeBuild(checkout, "CODEBUILD_INITIATOR=GitHub-Hookshot/0a1b2c3", "CODEBUILD_RESOLVED_SOURCE_VERSION="+commit,
		"CODEBUILD_SOURCE_VERSION=pr/7", "CODEBUILD_SOURCE_REPO_URL=https://github.com/example/forum.git", "CODEBUILD_WEBHOOK_EVENT=PULL_REQUEST_CREATED", "CODEBUILD_WEBHOOK_TRIGGER=pr/7")
	if err != nil {
		t.Fatalf("the build of the pull request: %v\n%s", err, b.log)
	}
	own := "pr7-" + hash
	if b.variables["SLIPWAY_REVISION"] != own || len(b.artifacts) != 0 {
		t.Errorf("exported %v, left %v", b.variables, b.artifacts)
	}
	if left, err := filepath.Glob(filepath.Join(checkout, "*.json")); err != nil || len(left) > 0 {
		t.Errorf("wrote %v, %v", left, err)
	}
	after := y.aws.Tags("forum/web")
	if after[own] == "" || deployment() != deployed {
		t.Errorf("before %v, after %v", before, after)
	}
	maps.DeleteFunc(after, func(tag, _ string) bool {
		return tag == own || tag == "revision-"+own || strings.HasPrefix(tag, "in-pr-")
	})
	if !maps.Equal(before, after) {
		t.Errorf("before %v, after without %s %v", before, own, after)
	}

	r := y.start("CODEBUILD_BUILD_ID=forum:2", "CODEBUILD_RESOLVED_SOURCE_VERSION="+commit, "build").wait(exitDone)
	if strings.Contains(r.stderr.String(), "nothing to build") {
		t.Errorf("the pull request's revision was reused:\n%s", &r.stderr)
	}
	y.wantTagOf("forum/web", "latest", hash)
	y.start("rollback", own).wait(exitUsage).says("cannot name a revision: an untrusted build made the revision of that name")
}
