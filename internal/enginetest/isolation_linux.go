package enginetest

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// isolation gives the daemon a separate mount namespace, so that its mounts end
// with it even if it is killed, and makes it end with the test binary. For an
// ordinary user it adds a user namespace in which that user is root. This is
// enough for images whose files have one owner.
func isolation() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Pdeathsig:    syscall.SIGKILL,
		Setpgid:      true, // an interrupt is for the tests, which then stop the daemon
		Unshareflags: syscall.CLONE_NEWNS,
	}
	if os.Geteuid() != 0 {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// modeArgs are the flags that differ between root and an ordinary user.
func modeArgs() []string {
	if os.Geteuid() == 0 {
		return nil
	}
	return []string{"--rootless", "--oci-worker-no-process-sandbox"}
}

// probe starts bin, which only prints its version, the way a daemon is started.
func probe(bin string) error {
	cmd := exec.Command(bin, "--version")
	cmd.SysProcAttr = isolation()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("no right to make namespaces (root, or user namespaces for everyone, are needed): %w", err)
	}
	return nil
}
