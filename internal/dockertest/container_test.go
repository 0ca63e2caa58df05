package dockertest_test

import (
	"context"
	"testing"
	"time"

	buildkit "github.com/moby/buildkit/client"
	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"slipway/internal/dockertest"
	"slipway/internal/testkit"
)

// A container proves that the shim starts and that runc knows all that the
// daemon asks for, which is more than for build steps.
func TestContainer(t *testing.T) {
	each(t, func(t *testing.T, k dockertest.Kind) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e := dockertest.Shared(t, k)
		id := container(t, e, "/step", "/again")
		end := e.Docker(t).ContainerWait(ctx, id, client.ContainerWaitOptions{})
		select {
		case got := <-end.Result:
			if got.StatusCode != 0 {
				t.Errorf("it ended with %d, want 0", got.StatusCode)
			}
		case err := <-end.Error:
			t.Error(err)
		}
	})
}

// container starts a command of stepProject's image and returns its ID.
func container(t *testing.T, e *dockertest.Engine, command ...string) string {
	t.Helper()
	solve(t, e, testkit.StepContext(t, "/step", "/result"), buildkit.ExportEntry{Type: "moby", Attrs: map[string]string{"name": "step:1"}})
	docker := e.Docker(t)
	made, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Config:     &api.Config{Image: "step:1", Cmd: command},
		HostConfig: &api.HostConfig{NetworkMode: "host"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := docker.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// Between Stop and Run the engine does not answer. Later its images exist again.
func TestStopAndRun(t *testing.T) {
	each(t, func(t *testing.T, k dockertest.Kind) {
		e := dockertest.Start(t, k)
		solve(t, e, testkit.WriteTree(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /b\n", "a": "one\n"}),
			buildkit.ExportEntry{Type: "moby", Attrs: map[string]string{"name": "kept:1"}})
		if err := e.Stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Docker(t).Ping(t.Context(), client.PingOptions{}); err == nil {
			t.Error("a stopped engine answers")
		}
		host := e.Host
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Docker(t).ImageInspect(t.Context(), "kept:1"); err != nil {
			t.Error(err)
		}
		if e.Host != host {
			t.Errorf("the address changed from %s to %s", host, e.Host)
		}
	})
}
