package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/buildkit/client"
	"golang.org/x/sys/unix"

	"slipway/build/engine"
	"slipway/internal/daemontest"
)

// ordinaryUser makes the test binary a job that uses an engine of its own, as
// the order in the variable says, until its stdin ends.
const ordinaryUser = "SLIPWAY_TEST_ORDINARY_USER"

// order is what such a job is to do.
type order struct {
	State, Binary string
	Network       engine.Network
}

// job is what it prints.
type job struct {
	Address     string
	Network     engine.Network
	Reason      string
	Hint, Error string
}

func beOrdinaryUser() {
	var o order
	if err := json.Unmarshal([]byte(os.Getenv(ordinaryUser)), &o); err != nil {
		panic(err)
	}
	var j job
	found, err := engine.Find(context.Background(), engine.Options{
		Address: string(engine.Managed), AddressFrom: "--engine", StateDir: o.State, Binary: o.Binary, Network: o.Network,
	})
	if err != nil {
		j.Error = err.Error()
	} else {
		j.Address, j.Network = found[0].Address, found[0].Network
		if trouble := found[0].NetworkTrouble; trouble != nil {
			j.Reason, j.Hint = trouble.Reason, trouble.Remedy
		}
	}
	json.NewEncoder(os.Stdout).Encode(j)
	io.Copy(io.Discard, os.Stdin)
	if err == nil {
		err = found[0].Close(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// nobody is a user without any right of its own.
const nobody = 65534

// user is an ordinary user's directory, with a copy of this program.
type user struct{ dir, program string }

func newUser(t *testing.T) user {
	t.Helper()
	u := user{dir: stateDir(t)}
	u.program = filepath.Join(u.dir, "test")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(u.program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(u.dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	return u
}

// startManaged has the user start an engine with the programs in a directory. The
// returned function ends the job, which closes the engine.
func (u user) startManaged(t *testing.T, bin string, n engine.Network) (job, *engine.Engine, func()) {
	t.Helper()
	text, err := json.Marshal(order{u.dir, filepath.Join(bin, "buildkitd"), n})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(u.program)
	cmd.Env = append(os.Environ(), ordinaryUser+"="+string(text), "HOME="+u.dir, "TMPDIR="+u.dir, "PATH="+bin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Stderr = os.Stderr
	in, out := startPiped(t, cmd)
	end := func() { in.Close(); cmd.Wait() }
	t.Cleanup(end)
	line, _ := out.ReadString('\n')
	var j job
	if err := json.Unmarshal([]byte(line), &j); err != nil {
		t.Fatalf("the job printed %q: %v", line, err)
	}
	if j.Error != "" {
		return j, nil, end
	}
	c, err := client.New(t.Context(), j.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return j, &engine.Engine{Client: c}, end
}

// tun gives the device the mode. On ordinary hosts it is 0666.
func tun(t *testing.T, mode os.FileMode) {
	t.Helper()
	device := filepath.Join(t.TempDir(), "tun")
	if err := unix.Mknod(device, unix.S_IFCHR, int(unix.Mkdev(10, 200))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(device, mode); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(device, "/dev/net/tun", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount("/dev/net/tun", 0) })
}

// fresh puts the user's directory into a /var/lib that no CNI plugin has used.
func (u user) fresh(t *testing.T) user {
	t.Helper()
	if err := unix.Mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=0755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount("/var/lib", unix.MNT_DETACH) })
	home := filepath.Join("/var/lib", filepath.Base(u.dir))
	if err := errors.Join(os.Symlink(home, "/var/lib/link"), os.WriteFile("/var/lib/file", nil, 0o600), os.Mkdir(home, 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(u.dir, home, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	return user{home, filepath.Join(home, "test")}
}

// programsWith is a PATH's directory with an engine's programs, all that its
// network needs but a connector, and these stand-ins and programs.
func programsWith(t *testing.T, standIns map[string]string, programs ...string) string {
	t.Helper()
	dir := barePath(t, standIns)
	// The directory of all temporary directories of a test is its user's alone.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(programs, "buildkit-cni-bridge", "buildkit-cni-host-local", "buildkit-cni-loopback", "iptables", "iptables-restore") {
		path, err := exec.LookPath(name)
		if err != nil {
			path = filepath.Join(filepath.Dir(buildkitd()), name)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
	}
	return dir
}

var connectors = []string{"slirp4netns", "pasta"}

func connectorTools() error {
	for _, tool := range connectors {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w (`make packet-filter` installs it)", err)
		}
	}
	tun, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return tun.Close()
}

// withConnectors is inNamespace for tests that need the connectors.
func withConnectors(t *testing.T) bool {
	t.Helper()
	daemontest.Require(t, connectorTools(), daemontest.Required())
	return inNamespace(t)
}

// left are the processes of the user's network.
func (u user) left() []string {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well formed
	var out []string
	for _, line := range lines {
		if text, err := os.ReadFile(line); err == nil && strings.Contains(string(text), u.dir+"/detached") {
			out = append(out, line+": "+string(text))
		}
	}
	return out
}

// wantNothingLeft checks that no process of the user's network runs.
func (u user) wantNothingLeft(t *testing.T) {
	t.Helper()
	if left := u.left(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// The RUN steps of an ordinary user's engine reach what those of root's do, and
// none of the processes that are in this host's network. The engine itself is in
// it. Afterwards nothing is left.
func TestManagedNetworkOfAnOrdinaryUser(t *testing.T) {
	if !withConnectors(t) {
		return
	}
	loopback, port := hostServices(t)
	tun(t, 0o666)
	for _, name := range connectors {
		u := newUser(t).fresh(t)
		j, e, end := u.startManaged(t, programsWith(t, nil, name), engine.NetworkAuto)
		if j.Network != engine.NetworkBridge || j.Reason != "" {
			t.Errorf("with %s the engine's network is %+v, want a bridge", name, j)
			continue
		}
		t.Logf("the engine's network is made by %s", name)
		wantReached(t, e, "", nil, append(slices.Clone(outside), credentials+":80", metadata+":80",
			loopback, "127.0.0.1:"+port, hereOnCable+":"+port, "198.18.0.1:"+port, "198.18.0.2:"+port, "198.18.4.1:"+port), outside)
		wantReached(t, e, "--network=host", allowHostNetwork, []string{loopback}, []string{loopback})
		end()
		u.wantNothingLeft(t)
	}
}

// The connector of an engine that was killed ends with it, and the next engine
// has a network again.
func TestManagedNetworkOfAnOrdinaryUserAfterAKill(t *testing.T) {
	if !withConnectors(t) {
		return
	}
	cable(t)
	tun(t, 0o666)
	for _, name := range connectors {
		u, bin := newUser(t), programsWith(t, nil, name)
		_, _, end := u.startManaged(t, bin, engine.NetworkBridge)
		if len(u.left()) == 0 {
			t.Fatalf("%s does not run", name)
		}
		if err := syscall.Kill(pidIn(u.dir), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		j, e, endNext := u.startManaged(t, bin, engine.NetworkBridge)
		if j.Error != "" {
			t.Fatalf("with %s, after a kill, no engine starts: %s", name, j.Error)
		}
		wantReached(t, e, "", nil, []string{server + ":80", metadata + ":80"}, []string{server + ":80"})
		end()
		endNext()
		u.wantNothingLeft(t)
	}
}

// Where an ordinary user's engine can have no network of its own, it says why,
// with the remedy, and refuses if it was asked for one.
func TestManagedNetworkOfAnOrdinaryUserCannotBeMade(t *testing.T) {
	if !withConnectors(t) {
		return
	}
	tun(t, 0o666)
	slirp := "slirp4netns"
	for _, c := range []struct {
		reason, hint string
		programs     map[string]string
	}{
		{"neither slirp4netns nor pasta is installed", "apt-get install slirp4netns", nil},
		{"slirp4netns: exit status 3; its log ends: no way out", "connector.log", map[string]string{slirp: "echo no way out; exit 3\n"}},
		{"slirp4netns: it ended", "connector.log", map[string]string{slirp: "exit 0\n"}},
		{"CNI setup error", "", map[string]string{slirp: "exec " + path(t, slirp) + " \"$@\"\n", "buildkit-cni-bridge": "exit 1\n"}},
		{"iptables-restore: exit status 4: no table", "install iptables", map[string]string{slirp: "exec " + path(t, slirp) + " \"$@\"\n", "iptables-restore": "echo no table; exit 4\n"}},
	} {
		newUser(t).without(t, programsWith(t, c.programs), c.reason, c.hint)
	}
	tun(t, 0o600)
	newUser(t).without(t, programsWith(t, nil, slirp), "/dev/net/tun: permission denied", "chmod 666 /dev/net/tun")
}

func path(t *testing.T, program string) string {
	t.Helper()
	p, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// without starts engines that can have no network of their own.
func (u user) without(t *testing.T, bin, reason, hint string) {
	t.Helper()
	j, _, end := u.startManaged(t, bin, engine.NetworkAuto)
	end()
	if j.Network != engine.NetworkHost || !strings.Contains(j.Reason, reason) || !strings.Contains(j.Hint, hint) {
		t.Errorf("%+v lacks %q or %q", j, reason, hint)
	}
	j, _, end = u.startManaged(t, bin, engine.NetworkBridge)
	end()
	if !strings.Contains(j.Error, reason) {
		t.Errorf("%+v lacks %q", j, reason)
	}
	u.wantNothingLeft(t)
}
