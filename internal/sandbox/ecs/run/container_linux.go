package run

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/internal/sandbox/ecs/process"
	"slipway/internal/sandbox/ecs/run/ocispec"
	"slipway/internal/sandbox/ecs/run/rootfs"
	"slipway/internal/sandbox/ecs/run/runc"
)

// container is a container of a task that runs.
type container struct {
	task       *task
	name       string
	definition types.ContainerDefinition
	image      v1.Config
	files      string // the image's
	secrets    []ocispec.Variable

	// Each is closed when its name holds for the first time.
	started, healthy, ended chan struct{}
	exit                    *exit // once ended, nil if it has not run
}

// exit is the end of a process.
type exit struct {
	code        int
	outOfMemory bool
}

func newContainer(t *task, d types.ContainerDefinition) *container {
	return &container{
		task: t, name: aws.ToString(d.Name), definition: d,
		started: make(chan struct{}), healthy: make(chan struct{}), ended: make(chan struct{}),
	}
}

func (c *container) readSecrets() error {
	for _, s := range c.definition.Secrets {
		value, err := c.task.runner.options.Secret(c.task.Region, aws.ToString(s.ValueFrom))
		if err != nil {
			return err
		}
		c.secrets = append(c.secrets, ocispec.Variable{Name: aws.ToString(s.Name), Value: value})
	}
	return nil
}

// run runs a container from the time when it may start to its end.
func (c *container) run() {
	defer close(c.ended)
	err := c.awaitDependencies()
	for again := true; err == nil && again; {
		again, err = c.runOnce()
	}
	c.task.change(func(s *process.State) {
		s.Failed = s.Failed || c.definition.Essential == nil || *c.definition.Essential
		now := s.Containers[c.name]
		now.Status = "STOPPED"
		switch {
		case c.exit != nil:
			now.ExitCode = &c.exit.code
			if c.exit.outOfMemory {
				now.Reason = "OutOfMemoryError: Container killed due to memory usage"
			}
		case err != nil && !errors.Is(err, errStopping):
			now.Reason, s.Err = err.Error(), cmp.Or(s.Err, err)
		}
		s.Containers[c.name] = now
	})
}

// runOnce runs a container's process once. It reports whether the restart policy
// has the container run again.
func (c *container) runOnce() (again bool, err error) {
	begin := time.Now()
	root, err := rootfs.New(c.files, filepath.Join(c.task.dir, c.name))
	if err != nil {
		return false, fmt.Errorf("CannotCreateContainerError: %w", err)
	}
	e, err := c.process(root.Path)
	if err := errors.Join(err, root.Remove()); err != nil {
		return false, err
	}
	if c.restarts(e.code, time.Since(begin)) {
		return true, nil
	}
	c.exit = e
	return false, nil
}

// restarts reports whether the restart policy has a container run again
// (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-restart-policy.html).
func (c *container) restarts(code int, ran time.Duration) bool {
	p := c.definition.RestartPolicy
	if p == nil || !aws.ToBool(p.Enabled) || isClosed(c.task.stopping) || isClosed(c.task.runner.closed) {
		return false
	}
	period := 60 * c.task.Second
	if p.RestartAttemptPeriod != nil {
		period = time.Duration(*p.RestartAttemptPeriod) * c.task.Second
	}
	return ran >= period && !slices.Contains(p.IgnoredExitCodes, int32(code))
}

// process starts a process and waits for its end.
func (c *container) process(root string) (*exit, error) {
	out, err := newOutput(func(lines []string) { c.task.Output(c.name, lines) })
	if err != nil {
		return nil, err
	}
	bundle := filepath.Join(c.task.runner.state.Path, c.id())
	defer os.RemoveAll(bundle) // Close removes the directory around it
	p, err := c.start(root, bundle, out)
	out.started(err == nil)
	if err != nil {
		out.wait()
		return nil, err
	}
	c.task.changeOf(c.name, func(s *process.Container) {
		if !isClosed(c.started) {
			close(c.started)
		}
		s.Status = "RUNNING"
	})
	exited := make(chan struct{})
	go c.observe(p, exited)
	go c.stop(p, exited)
	e := &exit{}
	e.code, e.outOfMemory = p.Wait()
	close(exited)
	out.wait()
	return e, nil
}

// id returns the container's name for runc.
func (c *container) id() string { return c.task.runner.containerID(c.task.ID + "-" + c.name) }

// start starts the process in a root directory. The error is the reason of a
// stopped task.
func (c *container) start(root, bundle string, out *output) (*runc.Container, error) {
	t := c.task
	name := c.image.User
	if c.definition.User != nil {
		name = *c.definition.User
	}
	user, err := userOf(name, root)
	if err != nil {
		return nil, fmt.Errorf("CannotStartContainerError: %w", err)
	}
	mounts, err := t.mounts(c.definition)
	if err != nil {
		return nil, fmt.Errorf("CannotCreateContainerError: %w", err)
	}
	spec, err := ocispec.New(ocispec.Input{
		Definition: c.definition, Image: c.image, Secrets: c.secrets, User: user, Rootfs: root, Hostname: t.hostname(),
		Network: t.network.Path(), CgroupsPath: "/" + c.id(), Memory: t.memory(c.definition), MaxFiles: t.runner.maxFiles, Mounts: mounts,
	})
	if err != nil {
		return nil, fmt.Errorf("CannotCreateContainerError: %w", err)
	}
	p, err := t.runner.runtime.Run(bundle, c.id(), spec, out.stdout, out.stderr)
	if err != nil {
		return nil, fmt.Errorf("CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: "+
			"failed to create shim task: OCI runtime create failed: %s", strings.Replace(err.Error(), "runc run failed", "runc create failed", 1))
	}
	return p, nil
}
