package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ociplatforms "github.com/containerd/platforms"

	"slipway/build"
	"slipway/build/engine"
)

// foundEngine is the engine that build would take, or the several of them.
type foundEngine struct {
	*engine.Engine
	all []*engine.Engine
	// silent are those of a pool that do not answer.
	silent []*engine.SilentError
	// scratch is the state of a managed engine that was started for the doctor; empty
	// where the engine's own was used.
	scratch string
}

// dockerTime is how much longer than other steps the search for an engine may take: in
// CodeBuild build waits for a Docker engine that is starting.
func (d *doctor) dockerTime() time.Duration {
	if d.plan != nil && d.plan.Env.InCodeBuild {
		return engine.DockerStartTime
	}
	return 0
}

// longTemp is the length of a path above which an engine's sockets may not fit below it.
const longTemp = 60

// socketTemp is where a temporary directory has room for a socket's path; empty is the
// default place.
func socketTemp() string {
	if len(os.TempDir()) > longTemp {
		return "/tmp"
	}
	return ""
}

// own reports whether Slipway started an engine.
func (e *foundEngine) own() bool {
	return slices.ContainsFunc(e.all, func(one *engine.Engine) bool { return one.Kind == engine.Managed })
}

// startEngine finds the engines. One of our own that has no state yet gets one that is
// thrown away: build takes an empty state for the sign of a fresh host.
func (d *doctor) startEngine(ctx context.Context) (*foundEngine, error) {
	found := &foundEngine{}
	options := d.build.EngineSearch(d.Host, d.plan)
	options.Silent = func(err *engine.SilentError) { found.silent = append(found.silent, err) }
	if dir := stateDir(options); dir != "" && !exists(filepath.Join(dir, "root")) {
		scratch, err := os.MkdirTemp(socketTemp(), "slipway-doctor-")
		if err != nil {
			return nil, err
		}
		found.scratch, options.StateDir = scratch, scratch
	}
	engines, err := build.FindEngines(ctx, options)
	if err != nil {
		return nil, errors.Join(err, found.clear())
	}
	found.Engine, found.all = engines[0], engines
	return found, nil
}

func (e *foundEngine) clear() error {
	if e.scratch == "" {
		return nil
	}
	return os.RemoveAll(e.scratch)
}

// closeTime is how long a managed engine may take to stop.
const closeTime = 30 * time.Second

// close stops what was started.
func (d *doctor) close(ctx context.Context) error {
	found, err := d.engine()
	if err != nil {
		return nil // there is none
	}
	return d.closeFound(ctx, found)
}

func (d *doctor) closeFound(ctx context.Context, e *foundEngine) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	var errs []error
	for _, one := range e.all {
		errs = append(errs, one.Close(ctx))
	}
	return errors.Join(append(errs, e.clear())...)
}

// stateDir is where a managed engine would keep its state; empty where none can run.
func stateDir(o engine.Options) string {
	if o.StateDir != "" {
		return o.StateDir
	}
	return engine.DefaultStateDir()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (d *doctor) checkEngine(context.Context) []Finding {
	found, err := d.engine()
	if err != nil {
		return []Finding{broken(err)}
	}
	var out []Finding
	for _, e := range found.all {
		where := "at " + e.Address
		if e.Kind == engine.Managed {
			where = "started for the job"
		}
		detail := fmt.Sprintf("%s %s, %s, since %s", e.Kind, cmp.Or(e.Version, "of no known version"), where, e.Why)
		if store := cmp.Or(e.Store(), e.Snapshotter); store != "" {
			detail += "; store " + store
		}
		out = append(out, Fine("%s", detail).of(e.Platform))
	}
	for _, err := range found.silent {
		out = append(out, warnedOf(err, "%v; other engines of the pool build its services", err))
	}
	return out
}

// platforms are those for which the engines can run build steps: each of several is asked
// for its own.
func (e *foundEngine) platforms() []string {
	var out []string
	for _, one := range e.all {
		for _, p := range one.Platforms {
			if !slices.Contains(out, p) && (one.Platform == "" || one.Platform == p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// checkPlatforms warns of platforms for which nothing can run: a Dockerfile without RUN
// does without.
func (d *doctor) checkPlatforms(context.Context) []Finding {
	found, err := d.engine()
	if err != nil {
		return []Finding{broken(err)}
	}
	have := found.platforms()
	var out []Finding
	for _, e := range found.all {
		if e.Platform != "" && !slices.Contains(e.Platforms, e.Platform) {
			out = append(out, Warned("name an engine of that platform, or let the kernel emulate it (QEMU in binfmt_misc)", "the engine for it runs programs for %s only: a RUN step would fail", strings.Join(e.Platforms, ", ")).of(e.Platform))
		}
	}
	for _, t := range d.plan.Targets() {
		if lacking := lackingPlatforms(t.Platforms, have); len(lacking) > 0 {
			out = append(out, Warned("build on an engine of that platform, or let the kernel emulate it (QEMU in binfmt_misc)", "the engine runs no steps for %s", strings.Join(lacking, ", ")).of(t.Service))
		}
	}
	if len(out) > 0 {
		return out
	}
	return []Finding{Fine("%s", strings.Join(have, ", "))}
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
