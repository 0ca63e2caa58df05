package enginetest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"slipway/internal/daemontest"
)

// Option changes how a daemon is started.
type Option func(*options)

type options struct {
	root  string
	lines []string
	// tcp is a second address, and certs are the server's certificates for it.
	tls        bool
	tcp, certs string
	debug      bool
	platforms  []string
}

// TLS makes the daemon listen on a port of the loopback device too, with TLS and
// client certificates: Engine.TLSAddr and Engine.CertDir.
func TLS() Option { return func(o *options) { o.tls = true } }

// Debug makes the daemon log at the debug level. Only there it names the blobs
// that it fetches and pushes, and the caches that it cannot read.
func Debug() Option { return func(o *options) { o.debug = true } }

// Platform makes the daemon say that the platform is its own, in place of the
// host's. Without programs for it, only steps that run nothing succeed.
func Platform(platform string) Option {
	return func(o *options) { o.platforms = []string{platform} }
}

// KeepRoot makes the daemon work in dir, which may hold another daemon's cache
// and is kept at the end. Empty still empties it.
func KeepRoot(dir string) Option {
	return func(o *options) { o.root = dir }
}

// Mirror makes the daemon ask mirror, reached by plain http, for images of the
// registry host: Mirror("docker.io", "127.0.0.1:5001").
func Mirror(host, mirror string) Option {
	return func(o *options) {
		o.lines = append(o.lines,
			fmt.Sprintf("[registry.%q]\n  mirrors = [%q]", host, mirror),
			fmt.Sprintf("[registry.%q]\n  http = true", mirror))
	}
}

// toml is the daemon's whole configuration. Containers share the host's network,
// so neither CNI nor iptables is needed. The cache is never collected, so tests see
// the same cache on a full disk. The daemon allows all entitlements, so that tests
// can verify that Slipway itself refuses them.
func (o options) toml(root, addr string) string {
	listen := fmt.Sprintf("[%q]", addr)
	if o.tls {
		listen = fmt.Sprintf("[%q, %q]\n[grpc.tls]\n  ca = %q\n  cert = %q\n  key = %q", addr, o.tcp,
			filepath.Join(o.certs, daemontest.CAFile), filepath.Join(o.certs, daemontest.CertFile), filepath.Join(o.certs, daemontest.KeyFile))
	}
	level := "info"
	if o.debug {
		level = "debug"
	}
	head := fmt.Sprintf(`root = %q
insecure-entitlements = ["network.host", "security.insecure"]

[grpc]
  address = %s
[log]
  level = %q
[otel]
  socketPath = %q
[cdi]
  disabled = true
[worker.containerd]
  enabled = false
[worker.oci]
  enabled = true
  networkMode = "host"
  gc = false
  platforms = [%s]
`, root, listen, level, strings.TrimPrefix(addr, "unix://")+".otel", quoted(o.platforms))
	var done []string
	for _, l := range o.lines {
		if !slices.Contains(done, l) { // a table may stand in TOML only once
			done = append(done, l)
		}
	}
	return head + strings.Join(done, "\n") + "\n"
}

// quoted returns strings as the elements of an array in TOML.
func quoted(list []string) string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%q", s))
	}
	return strings.Join(out, ", ")
}
