package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ociplatforms "github.com/containerd/platforms"
	"github.com/moby/buildkit/client"

	"slipway/build"
)

// foundEngine is the engine that build would take, and what it says of itself.
type foundEngine struct {
	*build.Engine
	version string
	workers []*client.WorkerInfo
	// scratch is the state of an engine of our own that was started for the doctor; empty
	// where the engine's own was used.
	scratch string
}

// findEngine is the one place that knows how engines are found.
func findEngine(ctx context.Context, o build.EngineOptions) (*build.Engine, error) {
	return build.FindEngine(ctx, o)
}

// own tells whether the engine was started by slipway.
func (e *foundEngine) own() bool { return e.Kind == build.EngineOwn }

// startEngine finds the engine and asks it for its version and workers. An engine of our
// own that has no state yet gets one that is thrown away: build takes an empty state for
// the sign of a fresh host.
func (d *doctor) startEngine(ctx context.Context) (*foundEngine, error) {
	found := &foundEngine{}
	options := d.options.engineOptions()
	if dir := stateDir(options); dir != "" && !exists(filepath.Join(dir, "root")) {
		scratch, err := os.MkdirTemp("", "slipway-doctor-")
		if err != nil {
			return nil, err
		}
		found.scratch, options.StateDir = scratch, scratch
	}
	engine, err := findEngine(ctx, options)
	if err != nil {
		return nil, errors.Join(err, found.clear())
	}
	found.Engine = engine
	if err := found.ask(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the engine at %s answers no more: %w", engine.Address, err), d.closeFound(ctx, found))
	}
	return found, nil
}

// ask reads what the engine says of itself.
func (e *foundEngine) ask(ctx context.Context) (err error) {
	if e.workers, err = e.Client.ListWorkers(ctx); err != nil {
		return err
	}
	info, err := e.Client.Info(ctx)
	if err != nil {
		return err
	}
	e.version = info.BuildkitVersion.Version
	return nil
}

func (e *foundEngine) clear() error {
	if e.scratch == "" {
		return nil
	}
	return os.RemoveAll(e.scratch)
}

// closeTime is how long an engine of our own may take to stop.
const closeTime = 30 * time.Second

// close stops what was started.
func (d *doctor) close(ctx context.Context) error {
	engine, err := d.engine()
	if err != nil {
		return nil // there is none
	}
	return d.closeFound(ctx, engine)
}

func (d *doctor) closeFound(ctx context.Context, e *foundEngine) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	return errors.Join(e.Close(ctx), e.clear())
}

// stateDir is where an engine of our own would keep its state; empty where none can run.
func stateDir(o build.EngineOptions) string {
	if o.StateDir != "" {
		return o.StateDir
	}
	return build.DefaultStateDir()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (d *doctor) checkEngine(context.Context) []finding {
	engine, err := d.engine()
	if err != nil {
		return []finding{broken(err)}
	}
	where := "at " + engine.Address
	if engine.own() {
		where = "started for the job"
	}
	detail := fmt.Sprintf("%s %s, %s, since %s", engine.Kind, engine.version, where, engine.Why)
	if store := engine.store(); store != "" {
		detail += "; store " + store
	}
	return []finding{fine("%s", detail)}
}

// workerSnapshotter is the label with which a worker names its store of layers
// (worker/label in BuildKit).
const workerSnapshotter = "org.mobyproject.buildkit.worker.snapshotter"

func (e *foundEngine) store() string {
	if len(e.workers) == 0 {
		return ""
	}
	return e.workers[0].Labels[workerSnapshotter]
}

// platforms are those for which the engine can run build steps.
func (e *foundEngine) platforms() []string {
	var out []string
	for _, w := range e.workers {
		for _, p := range w.Platforms {
			if name := ociplatforms.Format(ociplatforms.Normalize(p)); !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// checkPlatforms warns of platforms for which nothing can run: a Dockerfile without RUN
// does without.
func (d *doctor) checkPlatforms(context.Context) []finding {
	engine, err := d.engine()
	if err != nil {
		return []finding{broken(err)}
	}
	have := engine.platforms()
	var out []finding
	for _, t := range d.plan.targets() {
		if lacking := lackingPlatforms(t.Platforms, have); len(lacking) > 0 {
			out = append(out, warned("build on an engine of that platform, or let the kernel emulate it (QEMU in binfmt_misc)", "the engine runs no steps for %s", strings.Join(lacking, ", ")).of(t.Service))
		}
	}
	if len(out) > 0 {
		return out
	}
	return []finding{fine("%s", strings.Join(have, ", "))}
}

// lackingPlatforms are those wanted that the engine does not have.
func lackingPlatforms(wanted, have []string) []string {
	var out []string
	for _, w := range wanted {
		p, err := ociplatforms.Parse(w)
		if err != nil || !slices.Contains(have, ociplatforms.Format(ociplatforms.Normalize(p))) {
			out = append(out, w)
		}
	}
	return out
}
