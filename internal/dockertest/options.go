package dockertest

import (
	"encoding/json"
	"slices"
)

// Option changes how an engine is started.
type Option func(*options)

type options struct {
	tls      bool
	insecure []string
	mirrors  []string
}

// TLS makes the engine listen on a port of the loopback device too, with TLS and
// client certificates: Engine.TLSHost and Engine.CertDir.
func TLS() Option { return func(o *options) { o.tls = true } }

// Insecure makes the engine accept registries, as "host:port", without TLS or a
// known certificate. It always accepts those on loopback.
func Insecure(registries ...string) Option {
	return func(o *options) { o.insecure = append(o.insecure, registries...) }
}

// Mirror makes the engine pull Docker Hub's images from mirror, by plain http:
// Mirror("127.0.0.1:5001"). Engines have no mirrors of other registries.
func Mirror(mirror string) Option {
	return func(o *options) { o.mirrors = append(o.mirrors, "http://"+mirror) }
}

// config is the daemon.json. The cache is never collected, so that tests see the
// same cache on a full disk. The key, from which old engines derive their ID, would
// otherwise be in /etc/docker.
func (o options) config(k Kind, key string) ([]byte, error) {
	c := map[string]any{
		"deprecated-key-path": key,
		"features":            map[string]bool{"buildkit": true, "containerd-snapshotter": k.Snapshotter()},
		"builder":             map[string]any{"gc": map[string]any{"enabled": false}},
	}
	if o.insecure != nil {
		c["insecure-registries"] = o.insecure
	}
	if o.mirrors != nil {
		c["registry-mirrors"] = slices.Compact(o.mirrors)
	}
	return json.MarshalIndent(c, "", "  ")
}

// args are the flags that do not depend on the engine's directory. Without a
// bridge and without rules for it, no test changes the machine's network:
// build steps and containers have the host's ("network: host"), or none.
func (k Kind) args() []string {
	args := []string{
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--userland-proxy=false",
		"--exec-opt=native.cgroupdriver=cgroupfs",
	}
	if !k.Snapshotter() {
		args = append(args, "--storage-driver=overlay2")
	}
	return args
}
