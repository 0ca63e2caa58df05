package dockertest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	buildkit "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/entitlements"
	"github.com/moby/moby/client"
	"github.com/tonistiigi/fsutil"

	"slipway/internal/dockertest"
	"slipway/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(dockertest.StopAfter(m).Run()) }

// each runs the test against an engine of each kind, side by side.
func each(t *testing.T, test func(*testing.T, dockertest.Kind)) {
	for _, k := range dockertest.Kinds {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

// solve builds the Dockerfile in dir to a directory, which it returns, or to the
// given exporter.
func solve(t *testing.T, e *dockertest.Engine, dir string, exports ...buildkit.ExportEntry) string {
	t.Helper()
	tree, err := fsutil.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if exports == nil {
		exports = []buildkit.ExportEntry{{Type: buildkit.ExporterLocal, OutputDir: out}}
	}
	status := make(chan *buildkit.SolveStatus)
	go func() {
		for s := range status {
			for _, l := range s.Logs {
				t.Logf("%s", l.Data)
			}
		}
	}()
	_, err = e.BuildKit(t).Solve(t.Context(), nil, buildkit.SolveOpt{
		Frontend:            "dockerfile.v0",
		FrontendAttrs:       map[string]string{"force-network-mode": "host"},
		AllowedEntitlements: []string{string(entitlements.EntitlementNetworkHost)},
		LocalMounts:         map[string]fsutil.FS{"context": tree, "dockerfile": tree},
		Exports:             exports,
	}, status)
	if err != nil {
		t.Fatalf("building: %v\n%s", err, e.Log())
	}
	return out
}

// Each kind has the store of its name: tests of a store's limits would prove
// nothing on another.
func TestStores(t *testing.T) {
	each(t, func(t *testing.T, k dockertest.Kind) {
		e := dockertest.Shared(t, k)
		info, err := e.Docker(t).Info(t.Context(), client.InfoOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("Docker engine %s, API %s, driver %s", info.Info.ServerVersion, e.Docker(t).ClientVersion(), info.Info.Driver)
		inContainerd := slices.Contains(info.Info.DriverStatus, [2]string{"driver-type", "io.containerd.snapshotter.v1"})
		if inContainerd != k.Snapshotter() {
			t.Errorf("the driver is %s, %v", info.Info.Driver, info.Info.DriverStatus)
		}
		if !k.Snapshotter() && info.Info.Driver != "overlay2" {
			t.Errorf("the driver is %s", info.Info.Driver)
		}
		if again := dockertest.Shared(t, k); again != e {
			t.Error("the second call started another engine")
		}
	})
}

func TestBuildsCopy(t *testing.T) {
	each(t, func(t *testing.T, k dockertest.Kind) {
		e := dockertest.Shared(t, k)
		out := solve(t, e, testkit.WriteTree(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /b\n", "a": "one\n"}))
		if got := testkit.ReadFile(t, filepath.Join(out, "b")); got != "one\n" {
			t.Errorf("/b holds %q, want %q", got, "one\n")
		}
	})
}

// A RUN proves that runc and its cgroups work.
func TestRuns(t *testing.T) {
	each(t, func(t *testing.T, k dockertest.Kind) {
		e := dockertest.Shared(t, k)
		out := solve(t, e, testkit.StepContext(t, "/step", "/result"))
		if got := testkit.ReadFile(t, filepath.Join(out, "result")); got != "ran" {
			t.Errorf("/result holds %q, want ran", got)
		}
	})
}

// outside are the directories that daemons always write to.
var outside = []string{"/etc/docker", "/opt/containerd", "/run/containerd", "/run/docker", "/run/runc", "/var/lib/docker", "/var/lib/containerd"}

func present(paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		_, err := os.Stat(p)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// After a test, neither a process nor mounts nor files are left, be it that
// the daemon was stopped or killed, and though a container runs.
func TestStartLeavesNothing(t *testing.T) {
	for _, killed := range []bool{false, true} {
		each(t, func(t *testing.T, k dockertest.Kind) {
			dockertest.Require(t, k)
			before := present(outside)
			var dir string
			ok := t.Run("use", func(t *testing.T) {
				e := dockertest.Start(t, k)
				dir = filepath.Dir(strings.TrimPrefix(e.Host, "unix://"))
				container(t, e, "/step", "wait")
				if found := mentioning(t, dir); len(found) < 2 {
					t.Errorf("the daemon and a shim are not even found now: %q", found)
				}
				if killed {
					if err := syscall.Kill(e.PID(), syscall.SIGKILL); err != nil {
						t.Fatal(err)
					}
				}
			})
			if !ok {
				return // nothing was started, or it is not the clean-up that failed
			}
			if left := mentioning(t, dir); len(left) > 0 {
				t.Errorf("processes are left:\n%s", strings.Join(left, "\n"))
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is still there: %v", dir, err)
			}
			if mounts := testkit.ReadFile(t, "/proc/self/mounts"); strings.Contains(mounts, dir) {
				t.Errorf("mounts under %s are left:\n%s", dir, mounts)
			}
			if after := present(outside); !slices.Equal(before, after) {
				t.Errorf("of files elsewhere there were %q, and are %q", before, after)
			}
			for _, pattern := range []string{"/sys/fs/cgroup/*", "/sys/fs/cgroup/*/*"} {
				groups, err := filepath.Glob(pattern)
				if err != nil {
					t.Fatal(err)
				}
				for _, g := range groups {
					if strings.Contains(g, filepath.Base(dir)) {
						t.Errorf("%s is left", g)
					}
				}
			}
		})
	}
}

// mentioning lists the processes whose command line names dir.
func mentioning(t *testing.T, dir string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		t.Fatalf("reading /proc: %v", err)
	}
	var found []string
	for _, l := range lines {
		if b, err := os.ReadFile(l); err == nil && strings.Contains(string(b), dir) {
			found = append(found, l+": "+strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return found
}
