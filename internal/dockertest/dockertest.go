// Package dockertest gives tests real Docker engines: dockerd with its own
// containerd, data and socket, gone without a trace at the end.
package dockertest

import "github.com/moby/moby/client"

// Engine is a Docker engine that belongs to the tests.
type Engine struct {
	// Host is where the engine listens, as "unix://…".
	Host string
}

func (e *Engine) options() []client.Opt { return []client.Opt{client.WithHost(e.Host)} }
