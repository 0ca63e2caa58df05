package dockertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"slipway/internal/daemontest"
)

// stage prepares the daemon's namespaces and becomes the daemon. dockerd and
// containerd always write to /run and /opt: an overlay in memory receives that and
// is removed with the mount namespace. $1 is a directory for it, the rest the
// daemon's command line.
const stage = `set -e
mount -t proc proc /proc
mount -t tmpfs tmpfs "$1"
for d in /run /opt; do
	[ -d "$d" ] || continue
	mkdir -p "$1$d/upper" "$1$d/work"
	mount -t overlay -o "lowerdir=$d,upperdir=$1$d/upper,workdir=$1$d/work" overlay "$d"
done
shift
exec "$@"`

// command runs the program in a separate mount namespace and process namespace. So
// containerd, shims, containers and mounts end with the daemon, even if it is
// killed. The daemon ends with the test binary.
func (p programs) command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", append([]string{"-c", stage, "dockerd", filepath.Join(dir, "private"), p.dockerd}, args...)...)
	cmd.Dir = dir
	cmd.Env = daemontest.Environment(dir, p.bins...)
	if len(p.libs) > 0 {
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+strings.Join(p.libs, ":"))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig:    syscall.SIGKILL,
		Setpgid:      true, // an interrupt is for the tests, which then stop the daemon
		Cloneflags:   syscall.CLONE_NEWPID,
		Unshareflags: syscall.CLONE_NEWNS,
	}
	return cmd
}

// probe starts dockerd, which only prints its version, the way it is started.
func probe(p programs) error {
	dir, err := daemontest.Dir("docker-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Mkdir(filepath.Join(dir, "private"), 0o700); err != nil {
		return err
	}
	if out, err := p.command(dir, "--version").CombinedOutput(); err != nil {
		return fmt.Errorf("%s cannot be started in namespaces of its own: %w: %s", p.dockerd, err, strings.TrimSpace(string(out)))
	}
	return nil
}
