package engine_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/entitlements"
	"github.com/tonistiigi/fsutil"

	"slipway/build/engine"
	"slipway/internal/daemontest"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

// The tests of a network run in a network namespace of their own, which stands
// for the host: its bridges and packet filter are theirs alone.
const (
	insideNamespace = "SLIPWAY_TEST_INSIDE_NAMESPACE"
	// otherHosts makes the test binary the hosts behind a cable.
	otherHosts = "SLIPWAY_TEST_OTHER_HOSTS"
)

// inNamespace reports whether the test runs in a namespace of its own. If not,
// it has run the test there in another process.
func inNamespace(t *testing.T) bool {
	t.Helper()
	enginetest.Require(t)
	daemontest.Require(t, networkTools(), daemontest.Required())
	if os.Getenv(insideNamespace) != "" {
		run(t, "ip", "link", "set", "lo", "up")
		return true
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	t.Logf("in a namespace:\n%s", out)
	if err != nil {
		t.Error(err)
	}
	return false
}

func networkTools() error {
	if os.Geteuid() != 0 {
		return errors.New("only root makes network namespaces")
	}
	for _, tool := range []string{"ip", "iptables", "iptables-save"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w (`make packet-filter` installs it)", err)
		}
	}
	return nil
}

func run(t *testing.T, command ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", command, err, out)
	}
	return string(out)
}

// The addresses of the other hosts, all behind one cable, and this host's end of
// it.
const (
	server      = "198.51.100.1"
	credentials = "169.254.170.2"
	metadata    = "169.254.169.254"
	resolver    = "169.254.169.253"
	hereOnCable = "198.51.100.2"
)

// beOtherHosts answers at the addresses that are behind the cable.
func beOtherHosts() {
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n') // until the cable is there
	for _, c := range []string{"link set lo up", "link set far up", "addr add " + server + "/24 dev far", "addr add " + credentials + "/32 dev far", "addr add " + metadata + "/32 dev far", "addr add " + resolver + "/32 dev far"} {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			fmt.Printf("%s: %v: %s\n", c, err, out)
			return
		}
	}
	for _, at := range []string{server + ":80", credentials + ":80", metadata + ":80", resolver + ":53"} {
		if _, err := answer(at); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("listening")
	io.Copy(io.Discard, os.Stdin) // until the test ends
}

// answer takes connections at an address until the process ends.
func answer(at string) (net.Listener, error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, err
	}
	go testkit.Accept(l, func(conn net.Conn) { conn.Close() })
	return l, nil
}

// cable connects this namespace to other hosts.
func cable(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), otherHosts+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	in, lines := startPiped(t, cmd)
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	if line, _ := lines.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the other hosts: %s", line)
	}
	run(t, "ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", fmt.Sprint(cmd.Process.Pid))
	run(t, "ip", "addr", "add", hereOnCable+"/24", "dev", "near")
	run(t, "ip", "link", "set", "near", "up")
	run(t, "ip", "route", "add", "169.254.0.0/16", "via", server, "onlink", "dev", "near")
	run(t, "ip", "route", "add", "default", "via", server, "onlink", "dev", "near")
	fmt.Fprintln(in)
	if line, _ := lines.ReadString('\n'); line != "listening\n" {
		t.Fatalf("the other hosts: %s", line)
	}
}

// dialer is a program that writes to a file which of its addresses it reaches,
// and which processes with another network it could take over.
const dialer = `package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	for _, a := range os.Args[2:] {
		conn, err := net.DialTimeout("tcp", a, 20*time.Second)
		if err != nil {
			fmt.Println(err)
			continue
		}
		conn.Close()
		fmt.Fprintln(out, a)
	}
	own, _ := os.Readlink("/proc/self/ns/net")
	links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, link := range links {
		if other, err := os.Readlink(link); err == nil && other != own {
			name, _ := os.ReadFile(filepath.Dir(filepath.Dir(link)) + "/comm")
			fmt.Fprintf(out, "%s", name)
		}
	}
}
`

// dialerContext is a directory with the program.
func dialerContext(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	testkit.Compile(t, dialer, filepath.Join(dir, "dial"))
	return dir
}

// reached has a RUN step dial the addresses and returns those that it reached.
func reached(t *testing.T, e *engine.Engine, flags string, allowed []string, addresses ...string) ([]string, error) {
	t.Helper()
	dir := dialerContext(t)
	command, err := json.Marshal(append([]string{"/dial", "/reached"}, addresses...))
	if err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf("FROM scratch\nCOPY dial /dial\nRUN %s %s\n", flags, command)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	fs, err := fsutil.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if _, err := e.Client.Solve(t.Context(), nil, client.SolveOpt{
		Frontend:            "dockerfile.v0",
		LocalMounts:         map[string]fsutil.FS{"context": fs, "dockerfile": fs},
		Exports:             []client.ExportEntry{{Type: client.ExporterLocal, OutputDir: out}},
		AllowedEntitlements: allowed,
	}, nil); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(out, "reached"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text)), nil
}

// allowHostNetwork are the entitlements of a solve whose steps may use the host's
// network.
var allowHostNetwork = []string{string(entitlements.EntitlementNetworkHost)}

// wantReached has a RUN step dial the addresses and checks which of them it
// reaches.
func wantReached(t *testing.T, e *engine.Engine, flags string, allowed, addresses, want []string) {
	t.Helper()
	if got, err := reached(t, e, flags, allowed, addresses...); err != nil || !slices.Equal(got, want) {
		t.Errorf("a RUN step with the flags %q reached %q, %v; want %q of %q", flags, got, err, want, addresses)
	}
}

// wantNoTraces checks that no network is left on the host.
func wantNoTraces(t *testing.T) {
	t.Helper()
	if left := traces(t); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// hostServices connects this host to other hosts. It starts the servers of
// services, and one on port 53 of this host's end of the cable, as a resolver.
func hostServices(t *testing.T) (loopback, everywhere string) {
	t.Helper()
	cable(t)
	dns, err := answer(hereOnCable + ":53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dns.Close() })
	return services(t)
}

// outside are the addresses that a RUN step may reach when hostServices runs.
var outside = []string{server + ":80", resolver + ":53", hereOnCable + ":53"}

// services are on this host, at its loopback and at all of its addresses.
func services(t *testing.T) (loopback, everywhere string) {
	t.Helper()
	var at []string
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		l, err := answer(host + ":0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, port)
	}
	return "127.0.0.1:" + at[0], at[1]
}

// gateway is the host's address in the network of the RUN steps.
func gateway(t *testing.T) string {
	t.Helper()
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if addrs, _ := l.Addrs(); strings.HasPrefix(l.Name, "slip") && len(addrs) == 1 {
			ip, _, _ := strings.Cut(addrs[0].String(), "/")
			return ip
		}
	}
	t.Fatalf("no bridge with one address in %+v", links)
	return ""
}

// traces are what a network leaves on a host: interfaces and rules.
func traces(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(run(t, "iptables-save")) {
		if strings.HasPrefix(line, "-A") || strings.Contains(line, "SLIP") {
			out.WriteString(line)
		}
	}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if strings.HasPrefix(l.Name, "slip") {
			fmt.Fprintln(&out, l.Name)
		}
	}
	return out.String()
}

func startManagedWith(t *testing.T, o engine.Options) *engine.Engine {
	t.Helper()
	o.Address, o.AddressFrom = string(engine.Managed), "--engine"
	if o.Binary == "" {
		o.Binary = buildkitd()
	}
	found, err := engine.Find(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// RUN steps reach other hosts and resolvers, and neither this host nor the
// addresses at which AWS serves credentials. Afterwards nothing is left. The
// host forwards nothing by itself, as with Docker's policy.
func TestManagedNetwork(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	loopback, port := hostServices(t)
	run(t, "iptables", "-P", "FORWARD", "DROP")
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := startManagedWith(t, engine.Options{StateDir: stateDir(t)})
	if e.Network != engine.NetworkBridge || e.NetworkTrouble != nil {
		t.Fatalf("network %q, %v", e.Network, e.NetworkTrouble)
	}
	wantReached(t, e, "", nil, append(slices.Clone(outside), credentials+":80", metadata+":80",
		loopback, "127.0.0.1:"+port, gateway(t)+":"+port, hereOnCable+":"+port), outside)
	closeEngine(t, e)
	wantNoTraces(t)
}

// The host's network is for those steps that ask for it, in solves to which it
// is allowed.
func TestManagedNetworkEntitlement(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	loopback, _ := services(t)
	e := startManagedWith(t, engine.Options{StateDir: stateDir(t), Network: engine.NetworkBridge})
	defer closeEngine(t, e)
	if _, err := reached(t, e, "--network=host", nil, loopback); err == nil || !strings.Contains(err.Error(), "network.host is not allowed") {
		t.Errorf("a step took the host's network without leave: %v", err)
	}
	wantReached(t, e, "--network=host", allowHostNetwork, []string{loopback}, []string{loopback})
	wantReached(t, e, "", allowHostNetwork, []string{loopback}, nil)
}

// Whoever asks for the host's network gets it, and a job that wants another one
// is refused.
func TestManagedNetworkOfTheHost(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	cable(t)
	loopback, _ := services(t)
	dir := stateDir(t)
	e := startManagedWith(t, engine.Options{StateDir: dir, Network: engine.NetworkHost})
	defer closeEngine(t, e)
	if e.Network != engine.NetworkHost || e.NetworkTrouble != nil {
		t.Errorf("network %q, %v", e.Network, e.NetworkTrouble)
	}
	want := []string{server + ":80", resolver + ":53", credentials + ":80", metadata + ":80", loopback}
	wantReached(t, e, "", nil, want, want)
	if text := noEngine(t, t.Context(), engine.Options{StateDir: dir, Binary: buildkitd(), Network: engine.NetworkBridge}); !strings.Contains(text, "another job uses the engine with the network host") {
		t.Errorf("Find = %s, want that another job has the host's network", text)
	}
	other := startManagedWith(t, engine.Options{StateDir: dir})
	if other.Network != engine.NetworkHost {
		t.Errorf("the second job's network is %q", other.Network)
	}
	closeEngine(t, other)
}

// barePath holds the programs that an engine needs for the host's network, and
// stand-ins for others.
func barePath(t *testing.T, programs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"buildkitd", "runc", "buildkit-runc"} {
		if err := os.Symlink(filepath.Join(filepath.Dir(buildkitd()), name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range programs {
		testkit.WriteProgram(t, filepath.Join(dir, name), text)
	}
	return dir
}

// Where no network of its own can be made, the engine says why, and refuses if
// it was asked for one. Nothing half made is left.
func TestManagedNetworkCannotBeMade(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	t.Setenv("CNI_PATH", t.TempDir()) // not the distribution's
	good := "exit 0\n"
	for want, programs := range map[string]map[string]string{
		"the CNI plugin buildkit-cni-bridge is missing": {},
		"iptables-restore: exit status 4: Permission denied (you must be root)": {
			"buildkit-cni-bridge": good, "buildkit-cni-host-local": good, "buildkit-cni-loopback": good,
			"iptables": good, "iptables-restore": "echo 'Permission denied (you must be root)'; exit 4\n",
		},
		"CNI setup error": {"buildkit-cni-bridge": "exit 1\n", "buildkit-cni-host-local": good, "buildkit-cni-loopback": good},
	} {
		bin := barePath(t, programs)
		t.Setenv("PATH", bin+":/usr/bin:/bin:/usr/sbin:/sbin")
		o := engine.Options{StateDir: stateDir(t), Binary: filepath.Join(bin, "buildkitd")}
		e := startManagedWith(t, o)
		if e.Network != engine.NetworkHost || e.NetworkTrouble == nil || !strings.Contains(e.NetworkTrouble.Error(), want) || (e.NetworkTrouble.Remedy == "") != (want == "CNI setup error") {
			t.Errorf("network %q, %v lacks %q", e.Network, e.NetworkTrouble, want)
		}
		closeEngine(t, e)
		o.Network = engine.NetworkBridge
		if text := noEngine(t, t.Context(), o); !strings.Contains(text, want) {
			t.Errorf("%s lacks %q", text, want)
		}
		wantNoTraces(t)
	}
}

// What a killed engine left behind does not trouble the next one.
func TestManagedNetworkAfterAKill(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	cable(t)
	dir := stateDir(t)
	killed := startManagedWith(t, engine.Options{StateDir: dir})
	pid := pidIn(dir)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	rules := strings.Count(traces(t), "\n")
	e := startManagedWith(t, engine.Options{StateDir: dir, Network: engine.NetworkBridge})
	wantReached(t, e, "", nil, []string{server + ":80", metadata + ":80"}, []string{server + ":80"})
	if now := strings.Count(traces(t), "\n"); now != rules {
		t.Errorf("%d rules and interfaces became %d", rules, now)
	}
	closeEngine(t, killed)
	closeEngine(t, e)
	wantNoTraces(t)
}
