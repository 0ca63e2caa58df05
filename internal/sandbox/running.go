package sandbox

import (
	"net/http"
	"sync"
	"time"

	"slipway/internal/sandbox/ecs"
	"slipway/internal/sandbox/ecs/process"
	"slipway/internal/sandbox/ecs/run"
	"slipway/internal/sandbox/ecs/run/front"
)

// TaskPort is an address of this host at which a port of a service is reached.
type TaskPort = front.Listener

// running are tasks that run. A nil *running has none.
type running struct {
	runner *run.Runner
	ended  chan struct{}
	ticks  sync.WaitGroup
}

// startRunning makes tasks run if the options say so and this host can.
func (s *Server) startRunning() {
	if !s.options.Run {
		return
	}
	opened := s.options.Opened
	if opened == nil {
		opened = func(TaskPort) {}
	}
	runner, err := run.New(run.Options{
		Registry: s.registryServing,
		Secret:   s.secretValue,
		Dir:      s.dir,
		Opened:   func(k front.Key, address string) { opened(TaskPort{Key: k, Address: address}) },
	})
	if err != nil {
		s.notRunning = err
		return
	}
	s.tasks = &running{runner: runner, ended: make(chan struct{})}
}

// NotRunning returns the reason why tasks do not run although the options say so;
// nil if they do.
func (s *Server) NotRunning() error { return s.notRunning }

func (r *running) runnerOrNil() process.Runner {
	if r == nil {
		return nil
	}
	return r.runner
}

// stepTime is how often ECS looks at the clock while tasks run. Without them it
// does so at each request only.
const stepTime = 50 * time.Millisecond

// follow has ECS act when something is due, until close.
func (r *running) follow(all *ecs.Regions) {
	if r == nil {
		return
	}
	r.ticks.Go(func() {
		tick := time.NewTicker(stepTime)
		defer tick.Stop()
		for {
			select {
			case <-r.ended:
				return
			case <-tick.C:
				all.CatchUp()
			}
		}
	})
}

// close ends all tasks.
func (r *running) close() error {
	if r == nil {
		return nil
	}
	close(r.ended)
	r.ticks.Wait()
	return r.runner.Close()
}

// tasksPlane is the part of the control plane for tasks that run:
//
//	GET /_sandbox/tasks    the addresses of this host that lead to tasks
func (s *Server) tasksPlane(mux *http.ServeMux) {
	mux.HandleFunc("GET /_sandbox/tasks", func(w http.ResponseWriter, _ *http.Request) { writeControl(w, s.TaskPorts()) })
}

// TaskPorts returns the addresses of this host that lead to tasks that run.
func (s *Server) TaskPorts() []TaskPort {
	if s.tasks == nil {
		return []TaskPort{}
	}
	return s.tasks.runner.Listeners()
}
