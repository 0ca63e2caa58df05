package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// connector is a program that connects a network namespace to other hosts
// through sockets of its own, so that it needs no rights on this host.
type connector struct {
	path string
	// args returns the program's arguments for the namespace in a file, and a
	// subnet for the program's own addresses.
	args func(namespace string, s subnet) []string
}

const connectorRemedy = "install slirp4netns or passt (apt-get install slirp4netns, dnf install slirp4netns)"

// connectors are the known ones, in order of preference. Neither connects the
// namespace to this host's loopback.
//
// slirp4netns runs without --enable-sandbox. The sandbox leaves it fewer
// capabilities than a RUN step has. A step sees the processes of its user, and
// could then take slirp4netns over with ptrace(2), and have this host's network.
// With all capabilities of its user namespace it is out of their reach. pasta
// keeps others out with PR_SET_DUMPABLE.
var connectors = []struct {
	name string
	args func(namespace string, s subnet) []string
}{
	{"slirp4netns", func(namespace string, s subnet) []string {
		return []string{"--configure", "--disable-host-loopback", "--disable-dns", "--cidr=" + s.String(), "--netns-type=path", namespace, "tap0"}
	}},
	{"pasta", func(namespace string, s subnet) []string {
		return []string{"--foreground", "--ipv4-only", "--config-net", "--no-map-gw",
			"--gateway", s.gateway().String(), "--address", s.gateway().Next().String(), "--netmask", strconv.Itoa(s.Bits()),
			"-t", "none", "-u", "none", "-T", "none", "-U", "none", "--netns", namespace}
	}},
}

// findConnector looks next to buildkitd, then in PATH.
func findConnector(dir string) (*connector, error) {
	for _, c := range connectors {
		path := filepath.Join(dir, c.name)
		if !isExecutable(path) {
			path = lookPath(c.name)
		}
		if path != "" {
			return &connector{path, c.args}, nil
		}
	}
	return nil, noBridge(connectorRemedy, "slipway runs as an ordinary user, and neither slirp4netns nor pasta is installed")
}

// tunDevice is where a connector's end of the namespace comes from.
const tunDevice = "/dev/net/tun"

func checkTun() error {
	f, err := os.OpenFile(tunDevice, os.O_RDWR, 0)
	if err != nil {
		return noBridge("give this user "+tunDevice+" (`modprobe tun`, `chmod 666 "+tunDevice+"`; for a container, `--device "+tunDevice+"`)", "%w", err)
	}
	return f.Close()
}

// start starts the program. It ends when the calling thread does, however that
// ends. The channel gets the reason if it ends before.
func (c *connector) start(ctx context.Context, namespace string, s subnet, logFile string) (<-chan error, error) {
	log, err := lockFile(ctx, logFile, unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the program keeps the lock
	if err := log.Truncate(0); err != nil {
		return nil, err
	}
	cmd := exec.Command(c.path, c.args(namespace, s)...)
	cmd.Env = cleanEnvironment()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, noBridge(connectorRemedy, "%w", err)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		if err == nil {
			err = errors.New("it ended")
		}
		ended <- noBridge("see "+logFile, "%s: %w%s", c.path, err, lastLines(logFile))
	}()
	return ended, nil
}

// lastLines is the end of a short log, for an error message.
func lastLines(path string) string {
	text, err := os.ReadFile(path)
	lines := messages(string(text))
	if err != nil || len(lines) == 0 {
		return ""
	}
	return fmt.Sprintf("; its log ends: %s", strings.Join(lines[max(0, len(lines)-2):], " | "))
}
