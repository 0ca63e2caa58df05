package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox/ecs/process"
	"slipway/internal/sandbox/ecs/run/netns"
	"slipway/internal/sandbox/ecs/run/pull"
)

// definition is the part of a task definition that matters to its processes.
type definition struct {
	Containers []types.ContainerDefinition `json:"containerDefinitions"`
	Memory     string                      `json:"memory"` // MiB
	Platform   struct {
		CPUArchitecture string `json:"cpuArchitecture"`
	} `json:"runtimePlatform"`
}

func (d definition) architecture() string {
	if d.Platform.CPUArchitecture == "ARM64" {
		return "arm64"
	}
	return "amd64"
}

// task is a task that runs.
type task struct {
	process.Task
	runner     *Runner
	definition definition
	network    *netns.Namespace
	dir        string // of its files
	containers map[string]*container

	stopping chan struct{}
	stop     sync.Once

	mu     sync.Mutex // held while report is called, so that states come in order
	report func(process.State)
	state  process.State
}

func newTask(r *Runner, t process.Task, report func(process.State)) *task {
	return &task{
		Task: t, runner: r, dir: filepath.Join(r.options.Dir, "run", "tasks", t.ID), containers: map[string]*container{},
		stopping: make(chan struct{}), report: report, state: process.State{Containers: map[string]process.Container{}},
	}
}

// Stop stops the containers.
func (t *task) Stop() {
	t.stop.Do(func() { close(t.stopping) })
}

// change changes the state and reports it.
func (t *task) change(f func(s *process.State)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.state)
	t.state.Running = t.allStarted()
	s := t.state
	s.Containers = maps.Clone(t.state.Containers)
	t.report(s)
}

// allStarted reports whether every container has started.
func (t *task) allStarted() bool {
	for _, c := range t.containers {
		if !isClosed(c.started) {
			return false
		}
	}
	return len(t.containers) > 0
}

// changeOf changes the state of a container and reports it.
func (t *task) changeOf(name string, f func(c *process.Container)) {
	t.change(func(s *process.State) {
		c := s.Containers[name]
		f(&c)
		s.Containers[name] = c
	})
}

// run runs a task from its start to its end.
func (t *task) run() {
	err := t.prepare()
	if err == nil {
		var all sync.WaitGroup
		for _, c := range t.containers {
			all.Go(c.run)
		}
		all.Wait()
	}
	t.runner.front.Remove(t.ID)
	err = errors.Join(err, t.remove())
	t.change(func(s *process.State) {
		if s.Err == nil {
			s.Err = err
		}
		for name, c := range s.Containers {
			c.Status = "STOPPED"
			s.Containers[name] = c
		}
		s.Ended = true
	})
}

// prepare makes all that containers need to start: images, secrets, a network.
func (t *task) prepare() error {
	raw, err := json.Marshal(t.Definition)
	if err == nil {
		err = json.Unmarshal(raw, &t.definition)
	}
	if err != nil {
		return fmt.Errorf("the task definition: %w", err)
	}
	for _, d := range t.definition.Containers {
		t.state.Containers[aws.ToString(d.Name)] = process.Container{Status: "PENDING", Health: "UNKNOWN"}
	}
	if isClosed(t.runner.closed) || isClosed(t.stopping) {
		return errors.New("the sandbox ends")
	}
	if err := t.makeFiles(); err != nil {
		return err
	}
	if t.network, err = netns.New(); err != nil {
		return fmt.Errorf("ResourceInitializationError: %w", err)
	}
	for _, d := range t.definition.Containers {
		c, err := t.prepareContainer(d)
		if err != nil {
			return err
		}
		t.containers[c.name] = c
	}
	return nil
}

// prepareContainer reads the image and the secrets of a container.
func (t *task) prepareContainer(d types.ContainerDefinition) (*container, error) {
	c := newContainer(t, d)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-t.runner.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	image, err := pull.Image(ctx, t.runner.options.Registry, aws.ToString(d.Image), t.Digests[c.name], t.definition.architecture())
	if err == nil {
		c.files, err = t.runner.images.Unpack(ctx, image)
	}
	if err != nil {
		return nil, fmt.Errorf("CannotPullContainerError: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("CannotPullContainerError: %w", err)
	}
	c.image = config.Config
	return c, c.readSecrets()
}

// remove removes what prepare has made.
func (t *task) remove() error {
	var err error
	if t.network != nil {
		err = t.network.Close()
	}
	return errors.Join(err, os.RemoveAll(t.dir))
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
