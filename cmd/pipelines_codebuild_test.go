package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// codeBuild stands in for one build of a CodeBuild project: it runs what a buildspec
// says, and knows no key that generated ones do not use.
type codeBuild struct {
	// dir is the source's directory, and home one of the build container's.
	dir, home string
	// env is what the project and the kind of source add to the environment.
	env []string
}

// built is what a build leaves behind.
type built struct {
	// log is what went to CloudWatch.
	log string
	// variables are those that later actions see.
	variables map[string]string
	// artifacts are files by their path below the source's directory.
	artifacts map[string][]byte
}

// spec has the keys of "Build specification reference for CodeBuild" that generated
// buildspecs use.
type spec struct {
	Version float64
	Env     struct {
		Exported []string `yaml:"exported-variables"`
	}
	Phases struct {
		Build struct{ Commands []string }
	}
	Artifacts struct{ Files []string }
}

// run is the build. An error is what CodeBuild would tell of the phase that failed; the
// log is there all the same.
func (b codeBuild) run(ctx context.Context) (out built, err error) {
	var s spec
	file, err := os.ReadFile(filepath.Join(b.dir, "buildspec.yml"))
	if err != nil {
		return out, err
	}
	d := yaml.NewDecoder(bytes.NewReader(file))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil || s.Version != 0.2 {
		return out, fmt.Errorf("YAML_FILE_ERROR: version %v, %v", s.Version, err)
	}
	variables := filepath.Join(b.home, "variables")
	if out.log, err = b.shell(ctx, s.Phases.Build.Commands, variables); err != nil {
		return out, err
	}
	if out.variables, err = exported(variables, s.Env.Exported); err != nil {
		return out, err
	}
	out.artifacts = map[string][]byte{}
	for _, name := range s.Artifacts.Files {
		if out.artifacts[name], err = os.ReadFile(filepath.Join(b.dir, name)); err != nil {
			return out, fmt.Errorf("CLIENT_ERROR: no matching artifact paths found: %w", err)
		}
	}
	return out, nil
}

// shell runs the commands of a phase in one shell, none behind one that failed. That is
// not what `sh -e` does, which forgives the left side of &&.
func (b codeBuild) shell(ctx context.Context, commands []string, variables string) (log string, err error) {
	var script strings.Builder
	for _, c := range commands {
		script.WriteString(c + "\nstatus=$?; [ $status -eq 0 ] || exit $status\n")
	}
	script.WriteString("env >'" + variables + "'\n")
	cmd := exec.CommandContext(ctx, "sh", "-c", script.String())
	cmd.Dir = b.dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.home,
		"CODEBUILD_BUILD_ID=project:0a1b2c3d-0000-0000-0000-000000000000",
		"CODEBUILD_BUILD_ARN=arn:aws:codebuild:us-east-1:000000000000:build/project:0a1b2c3d-0000-0000-0000-000000000000",
		"CODEBUILD_BUILD_NUMBER=1", "CODEBUILD_BUILD_SUCCEEDING=1", "CODEBUILD_SRC_DIR=" + b.dir,
		fmt.Sprintf("CODEBUILD_START_TIME=%d", time.Now().UnixMilli()),
		"GIT_CEILING_DIRECTORIES=" + filepath.Dir(b.dir),
	}, b.env...)
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("COMMAND_EXECUTION_ERROR: error while executing command. Reason: exit status %d", exit.ExitCode())
	}
	return string(text), err
}

// exported reads variables from what env printed.
func exported(file string, names []string) (map[string]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		for _, name := range names {
			if k == name {
				out[k] = v
			}
		}
	}
	return out, nil
}
