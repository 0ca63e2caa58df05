package dockertest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"slipway/internal/daemontest"
)

// CLI returns the docker command: that in PATH, else that next to Classic's
// dockerd.
func CLI() (string, error) {
	if path, err := exec.LookPath("docker"); err == nil {
		return path, nil
	}
	p, err := find(Classic)
	if err != nil {
		return "", err
	}
	return exec.LookPath(filepath.Join(filepath.Dir(filepath.Dir(p.dockerd)), "bin", "docker"))
}

// containerLimit is how long a daemon in a container may take until it answers.
const containerLimit = time.Minute

// RunBuildkitd runs the pinned buildkitd as a container of that name, with buildctl in it
// and the host's network, until the test ends. Its builds may have no RUN: the pinned
// runc needs a C library.
func (e *Engine) RunBuildkitd(t testing.TB, name string) {
	t.Helper()
	docker := e.Docker(t)
	ctx, cancel := context.WithTimeout(t.Context(), containerLimit)
	defer cancel()
	image := "dockertest/" + name + ":latest"
	if err := importImage(ctx, docker, image); err != nil {
		t.Fatalf("importing an image with buildkitd: %v", err)
	}
	_, err := docker.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: name,
		Config: &container.Config{
			Image: image, Env: []string{"PATH=/bin"},
			Cmd: []string{"/bin/buildkitd", "--oci-worker-net=host", "--oci-worker-gc=false"},
		},
		HostConfig: &container.HostConfig{
			// Not privileged: root on the machine itself may lack capabilities.
			CapAdd: []string{"SYS_ADMIN"}, SecurityOpt: []string{"seccomp=unconfined", "apparmor=unconfined"},
			NetworkMode: "host",
			Tmpfs:       map[string]string{"/run": "", "/tmp": "exec", "/var/lib/buildkit": "exec"},
		},
	})
	if err != nil {
		t.Fatalf("creating the container: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), containerLimit)
		defer cancel()
		if _, err := docker.ContainerRemove(ctx, name, client.ContainerRemoveOptions{Force: true}); err != nil {
			t.Errorf("removing the container: %v", err)
		}
	})
	if _, err := docker.ContainerStart(ctx, name, client.ContainerStartOptions{}); err != nil {
		t.Fatalf("starting the container: %v", err)
	}
	if err := awaitBuildkitd(ctx, docker, name); err != nil {
		t.Fatalf("%v\n%s", err, containerLog(ctx, docker, name))
	}
}

// importImage makes an image of the pinned programs.
func importImage(ctx context.Context, docker *client.Client, ref string) error {
	dir, err := daemontest.Tools()
	if err != nil {
		return err
	}
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	for _, program := range []string{"buildkitd", "buildctl", "buildkit-runc"} {
		data, err := os.ReadFile(filepath.Join(dir, "bin", program))
		if err != nil {
			return fmt.Errorf("%w (`make test` builds it)", err)
		}
		err = w.WriteHeader(&tar.Header{Name: "bin/" + program, Mode: 0o755, Size: int64(len(data))})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	answer, err := docker.ImageImport(ctx, client.ImageImportSource{Source: &files, SourceName: "-"}, ref, client.ImageImportOptions{})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer)
	return errors.Join(err, answer.Close())
}

// awaitBuildkitd asks buildctl in the container until it names the workers.
func awaitBuildkitd(ctx context.Context, docker *client.Client, name string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("buildkitd in the container %s does not answer: %w", name, ctx.Err())
		case <-tick.C:
			if err := run(ctx, docker, name, "/bin/buildctl", "debug", "workers"); err == nil {
				return nil
			}
		}
	}
}

// run runs a command in the container to its end.
func run(ctx context.Context, docker *client.Client, name string, command ...string) error {
	created, err := docker.ExecCreate(ctx, name, client.ExecCreateOptions{Cmd: command})
	if err != nil {
		return err
	}
	if _, err := docker.ExecStart(ctx, created.ID, client.ExecStartOptions{Detach: true}); err != nil {
		return err
	}
	for {
		state, err := docker.ExecInspect(ctx, created.ID, client.ExecInspectOptions{})
		if err != nil {
			return err
		}
		if !state.Running {
			if state.ExitCode != 0 {
				return fmt.Errorf("exit code %d", state.ExitCode)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func containerLog(ctx context.Context, docker *client.Client, name string) string {
	r, err := docker.ContainerLogs(context.WithoutCancel(ctx), name, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
