package engine

import (
	"os"
	"path/filepath"
	"syscall"
)

// isolation starts the daemon in a session of its own, so that an interrupt at the
// terminal reaches it only through us, after the builds ended in order, and in a mount
// namespace of its own, so that its mounts end with it however it ends.
//
// For an ordinary user it adds a user namespace in which that user is root. It maps one
// user and one group, for which no setuid helper is needed: enough for images whose
// files belong to one owner.
func isolation() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true, Unshareflags: syscall.CLONE_NEWNS}
	if !root() {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

func root() bool { return os.Geteuid() == 0 }

// modeFlags returns the daemon's flags that an ordinary user needs in addition
// to the configuration.
func modeFlags() []string {
	if root() {
		return nil
	}
	return []string{"--rootless", "--oci-worker-no-process-sandbox"}
}

// DefaultStateDir is where the managed engine keeps its cache between runs: the system's for
// root, the user's cache directory for others. It is empty when neither is known.
func DefaultStateDir() string {
	if root() {
		return "/var/lib/slipway/engine"
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "slipway", "engine")
}

// modeEnv keeps runc's own state next to the engine's: without it runc, seeing
// itself as root of its namespace, would write to /run, which belongs to the
// real one.
func modeEnv(dir string) []string {
	if root() {
		return nil
	}
	return []string{"XDG_RUNTIME_DIR=" + dir, "USER="} // a USER named root makes runc ignore the directory
}
