package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"slipway/build/engine"
)

// checkRunc is about managed engines alone: others have theirs.
func (d *doctor) checkRunc(ctx context.Context) []Finding {
	found, err := d.engine()
	if err == nil && !found.own() {
		return []Finding{Unchecked("", "the engine is not a managed one")}
	}
	if !d.wantsOwn() {
		return []Finding{Unchecked("", "the build would not use a managed engine")}
	}
	path, missing := engine.FindRunc("")
	if missing == nil {
		return []Finding{runcVersion(ctx, path)}
	}
	f := broken(missing)
	f.Remedy = "install runc (apt-get install runc), or copy it next to buildkitd: a managed engine needs it"
	if err == nil {
		return []Finding{f.Softened()} // it runs, whatever it found
	}
	return []Finding{f}
}

// wantsOwn reports whether a managed engine may be used, on a host where one
// can run.
func (d *doctor) wantsOwn() bool {
	o := d.build.Engine
	return o.MayBeManaged() && stateDir(o) != ""
}

// runcVersion asks the program itself, since one that does not run is useless.
func runcVersion(ctx context.Context, path string) Finding {
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // it needs nothing else of ours
	out, err := cmd.Output()
	if err != nil {
		f := broken(fmt.Errorf("%s --version: %w", path, err))
		f.Remedy = "reinstall runc"
		return f
	}
	version, rest, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if !strings.Contains(rest, "libseccomp") {
		return Fine("%s (%s), built without seccomp; use your distribution's runc for untrusted Dockerfiles", version, path)
	}
	return Fine("%s (%s)", version, path)
}

// lowDisk is the space that a build of a few large images takes, in bytes.
const lowDisk = 5 << 30

// checkDisk is about the disk of a managed engine; of another one only the size of its
// cache can be known.
func (d *doctor) checkDisk(ctx context.Context) []Finding {
	found, err := d.engine()
	if err == nil && !found.own() {
		return []Finding{cacheSize(ctx, found)}
	}
	if !d.wantsOwn() {
		return []Finding{Unchecked("", "there is no engine")}
	}
	dir := stateDir(d.build.Engine)
	free, writable, err := space(nearest(dir))
	info, statErr := os.Stat(nearest(dir))
	switch {
	case statErr == nil && !info.IsDir():
		f := broken(fmt.Errorf("%s is not a directory", nearest(dir)))
		f.Remedy = "name another directory with --engine-state"
		return []Finding{f.of(dir)}
	case err != nil:
		return []Finding{Unchecked("", "%v", err).of(dir)}
	case !writable:
		f := broken(errors.New("may not be written by this user"))
		f.Remedy = "name another directory with --engine-state, or let this one be written"
		if found != nil && found.scratch == "" {
			f = f.Softened() // it is in use
		}
		return []Finding{f.of(dir)}
	case free < lowDisk:
		return []Finding{Warned("make room, or name a directory on another disk with --engine-state", "%s free", bytesText(free)).of(dir)}
	default:
		return []Finding{Fine("%s free", bytesText(free)).of(dir)}
	}
}

func cacheSize(ctx context.Context, found *foundEngine) Finding {
	records, err := found.Client.DiskUsage(ctx)
	if err != nil {
		return Unchecked("", "could not read the size of the engine's cache: %v", err)
	}
	var all, used uint64
	for _, r := range records {
		all += uint64(max(r.Size, 0))
		if r.InUse {
			used += uint64(max(r.Size, 0))
		}
	}
	return Fine("the engine's cache holds %s, %s of it in use; the engine does not report the free space", bytesText(all), bytesText(used))
}

// nearest is the first directory on the way up that exists: a state directory may be made
// only when an engine starts.
func nearest(dir string) string {
	dir, err := filepath.Abs(dir)
	for err == nil && !exists(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	return dir
}

// bytesText is a size for people, in binary units.
func bytesText(n uint64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/(1<<10), 0
	for value >= 1<<10 && unit < len(units)-1 {
		value, unit = value/(1<<10), unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}
