package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bridge is the network of a managed engine: a Linux bridge to which BuildKit
// connects each RUN step through CNI plugins, and packet filter rules that let
// the steps out and keep them from this host. Its names come from the state
// directory, so that engines with different state have different networks and
// an engine finds what a killed one left behind.
type bridge struct {
	dir  string // holds the CNI configuration
	name string // of the interface; at most 15 characters (netdevice(7))
	// host is set where the bridge is not in the host's network namespace, but
	// in a detached one.
	host surroundings
}

func newBridge(state string) *bridge {
	sum := sha256.Sum256([]byte(state))
	return &bridge{dir: filepath.Join(state, "network"), name: fmt.Sprintf("slip%x", sum[:4])}
}

func (b *bridge) conflist() string { return filepath.Join(b.dir, "slipway.conflist") }
func (b *bridge) plugins() string  { return filepath.Join(b.dir, "plugins") }

// leases is where host-local keeps which addresses are in use.
func (b *bridge) leases() string { return filepath.Join(b.dir, "addresses") }

// noBridgeError is the reason why this host has no network for a managed
// engine, with the remedy.
type noBridgeError struct {
	err    error
	remedy string
}

func (e *noBridgeError) Error() string {
	return "RUN steps cannot have a network of their own: " + e.err.Error()
}
func (e *noBridgeError) Unwrap() error { return e.err }

// Hint is one sentence on how to make the network possible.
func (e *noBridgeError) Hint() string { return e.remedy }

func noBridge(remedy, format string, args ...any) error {
	return &noBridgeError{fmt.Errorf(format, args...), remedy}
}

// setupTime bounds the commands that make or remove a network.
const setupTime = 20 * time.Second

// networkLock is held while a subnet is chosen: two engines must not choose the
// same one.
const networkLock = "/run/slipway-network.lock"

// setUp makes the network, or returns a *noBridgeError and leaves nothing
// behind.
func (b *bridge) setUp(ctx context.Context, buildkitd string) error {
	ctx, cancel := context.WithTimeout(ctx, setupTime)
	defer cancel()
	if err := resolverReachable("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"); err != nil {
		return err
	}
	found, err := findPlugins(filepath.Dir(buildkitd))
	if err != nil {
		return err
	}
	filter, err := findFilter()
	if err != nil {
		return err
	}
	b.remove(ctx, filter)
	if err := b.make(ctx, found, filter); err != nil {
		b.remove(context.WithoutCancel(ctx), filter)
		return err
	}
	return nil
}

const privilegedRemedy = "run slipway in a privileged container, or as root of the host"

func (b *bridge) make(ctx context.Context, found map[string]string, filter *packetFilter) error {
	if err := forward("/proc/sys/net/ipv4/ip_forward"); err != nil {
		return noBridge(privilegedRemedy, "packets cannot be forwarded: %w", err)
	}
	net, err := b.link(ctx)
	if err != nil {
		return noBridge(privilegedRemedy, "the bridge %s: %w", b.name, err)
	}
	if err := filter.apply(ctx, b.name, net, b.host.addresses); err != nil {
		return noBridge(filterRemedy, "%w", err)
	}
	if err := b.configure(net.String(), found); err != nil {
		return noBridge("choose another state directory", "%w", err)
	}
	return nil
}

// link makes the interface, with an address in a subnet that is free.
func (b *bridge) link(ctx context.Context) (subnet, error) {
	if b.host.connector.IsValid() { // this network namespace has no other engine
		return b.linkUnlocked()
	}
	lock, err := lockFile(ctx, networkLock, unix.LOCK_EX)
	if err != nil {
		return subnet{}, err
	}
	defer lock.Close()
	return b.linkUnlocked()
}

func (b *bridge) linkUnlocked() (subnet, error) {
	net, err := freeSubnet(b.host.used...)
	if err != nil {
		return subnet{}, err
	}
	return net, makeLink(b.name, net)
}

// configure writes what BuildKit reads. The host's end has no IPv6 (makeLink),
// so that IPv4 rules are all that is needed.
func (b *bridge) configure(cidr string, found map[string]string) error {
	if err := os.RemoveAll(b.dir); err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(b.plugins(), 0o700), os.Mkdir(b.leases(), 0o700)); err != nil {
		return err
	}
	for name, path := range found {
		if err := os.Symlink(path, filepath.Join(b.plugins(), name)); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(b.cni(cidr), "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(b.conflist(), text)
}

// cni is the configuration of the network, in the words of
// https://www.cni.dev/plugins/current/main/bridge/ and
// https://www.cni.dev/plugins/current/ipam/host-local/.
func (b *bridge) cni(cidr string) map[string]any {
	return map[string]any{
		"cniVersion": "1.0.0",
		"name":       "slipway",
		"plugins": []any{map[string]any{
			"type":             "bridge",
			"bridge":           b.name,
			"isDefaultGateway": true,
			// Steps of jobs that share the engine do not reach each other.
			"portIsolation": true,
			"ipam": map[string]any{
				"type":    "host-local",
				"dataDir": b.leases(),
				"ranges":  []any{[]any{map[string]any{"subnet": cidr}}},
			},
		}},
	}
}

// tearDown removes the network. What cannot be removed harms nothing: the next
// engine of the same state removes it.
func (b *bridge) tearDown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), setupTime)
	defer cancel()
	if !root() {
		b.awaitConnector(ctx)
	}
	filter, err := findFilter()
	if err != nil {
		return
	}
	b.remove(ctx, filter)
}

func (b *bridge) remove(ctx context.Context, filter *packetFilter) {
	if hasLink(b.name) {
		_ = removeLink(b.name) // the link is there for the next engine then
		filter.remove(ctx, b.name)
	}
	_ = os.RemoveAll(b.dir) // setUp reports what it cannot replace
}

// forward switches on what a file of /proc/sys names, if it is off.
func forward(path string) error {
	now, err := os.ReadFile(path)
	if err != nil || strings.TrimSpace(string(now)) == "1" {
		return err
	}
	return os.WriteFile(path, []byte("1"), 0o644)
}

// pluginNames are the CNI plugins that the network needs.
var pluginNames = []string{"bridge", "host-local", "loopback"}

// pluginDirs returns the directories of CNI_PATH (CNI specification, section 2),
// or if it is not set, those where distributions put CNI plugins.
func pluginDirs() []string {
	if path := os.Getenv("CNI_PATH"); path != "" {
		return filepath.SplitList(path)
	}
	return []string{"/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"}
}

// findPlugins looks for the plugins under the names that BuildKit's releases
// give them, next to buildkitd and in PATH, then for those in CNI_PATH or of the distribution.
func findPlugins(dir string) (map[string]string, error) {
	found := map[string]string{}
	for _, name := range pluginNames {
		path := findPlugin(dir, name)
		if path == "" {
			return nil, noBridge("put buildkit-cni-"+strings.Join(pluginNames, ", buildkit-cni-")+" of BuildKit's release next to buildkitd, or install your distribution's containernetworking-plugins",
				"the CNI plugin buildkit-cni-%s is missing", name)
		}
		found[name] = path
	}
	return found, nil
}

func findPlugin(dir, name string) string {
	if path := filepath.Join(dir, "buildkit-cni-"+name); isExecutable(path) {
		return path
	}
	if path := lookPath("buildkit-cni-" + name); path != "" {
		return path
	}
	for _, d := range pluginDirs() {
		if path := filepath.Join(d, name); isExecutable(path) {
			return path
		}
	}
	return ""
}

// networkRecord says which network the daemon of a state directory has.
type networkRecord struct {
	Network Network `json:"network"`
	// Reason is why it is the host's though another was wanted; empty otherwise.
	Reason string `json:"reason,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

func (w *managed) recordFile() string { return filepath.Join(w.dir, "network.json") }

func (w *managed) record(r networkRecord) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return writePrivate(w.recordFile(), text)
}

// recorded is the network of the daemon that runs. One without a record was
// started by a version of slipway that knew the host's network only.
func (w *managed) recorded() (networkRecord, error) {
	text, err := os.ReadFile(w.recordFile())
	if errors.Is(err, fs.ErrNotExist) {
		return networkRecord{Network: NetworkHost, Reason: "an older slipway started the engine", Remedy: "run the job again when no other job uses the engine"}, nil
	}
	var r networkRecord
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return r, fmt.Errorf("the engine's network: %w", err)
	}
	return r, nil
}

// fits reports whether a daemon that runs has the network that is wanted.
func (r networkRecord) fits(wanted Network) error {
	if wanted == NetworkAuto || wanted == r.Network {
		return nil
	}
	return &noBridgeError{err: &SharedError{Has: r.Network, Wanted: wanted}}
}

// describe writes the network into the engine.
func (r networkRecord) describe(e *Engine) {
	e.Network = r.Network
	if r.Reason != "" {
		e.NetworkTrouble = &NetworkError{Reason: r.Reason, Remedy: r.Remedy}
	}
}

// reason is an error without the words that the warning begins with.
func reason(err error) string {
	var none *noBridgeError
	if errors.As(err, &none) {
		return none.err.Error()
	}
	return err.Error()
}
