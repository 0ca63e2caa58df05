package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"

	"slipway/build/engine/loss"
	"slipway/internal/fault"
)

// Kind is the kind of an engine.
type Kind string

// The kinds of engines. --engine takes the same words.
const (
	Buildkitd Kind = "buildkitd" // a daemon that runs, or that an address leads to
	Docker    Kind = "docker"    // a Docker engine, which has a BuildKit of its own
	Managed   Kind = "managed"   // a buildkitd started for the job
)

// managedAlias is the earlier word for Managed, which stays valid.
const managedAlias = "own"

// Engine is a BuildKit that answered.
type Engine struct {
	// Client talks to it.
	Client *client.Client
	// Address is where it listens.
	Address string
	// Kind is its kind.
	Kind Kind
	// Why says in one sentence why this engine was taken.
	Why string
	// Version is the version that the engine reports; empty where it reports
	// none.
	Version string
	// BuildKit is the version of its BuildKit ("v0.34.2"); empty where it reports
	// none.
	BuildKit string
	// Platform is the platform that it was named for, where several engines
	// share the work.
	Platform string
	// Watch notices that the engine is lost; nil for one that is not of a pool.
	Watch *loss.Watch
	// Platforms are those whose programs it can run, in OCI's words.
	Platforms []string
	// Snapshotter is how its worker keeps layers ("overlayfs"); empty where it does not say.
	Snapshotter string
	// Fresh reports that the engine was started with an empty state: it has no
	// cache yet.
	Fresh bool
	// SameHost reports that the engine runs on this host, by its address.
	SameHost bool
	// ClearText reports that others can read the traffic to it: it is on
	// another host, and reached by tcp without TLS.
	ClearText bool
	// Images is the store that images go to on an engine that cannot push: a Docker
	// engine with the classic store. It is nil where the engine pushes by itself.
	Images *Images

	// Network is the network of RUN steps: NetworkBridge or NetworkHost. It is
	// empty for an engine that slipway did not start.
	Network Network
	// NetworkError is why it is NetworkHost though the host's network was not
	// asked for; nil otherwise.
	NetworkTrouble *NetworkError

	docker *dockerEngine
	stop   func(context.Context) error
}

// Store names the image store of a Docker engine: "containerd" or "classic".
func (e *Engine) Store() string {
	switch {
	case e.Kind != Docker:
		return ""
	case e.Images != nil:
		return "classic"
	default:
		return "containerd"
	}
}

// String returns the name of the engine, with the properties that distinguish
// it from others.
func (e *Engine) String() string {
	var what []string
	if e.Version != "" {
		what = append(what, e.Version)
	}
	if store := e.Store(); store != "" {
		what = append(what, store+" store")
	}
	s := string(e.Kind)
	if len(what) > 0 {
		s += " (" + strings.Join(what, ", ") + ")"
	}
	return s + " at " + e.Address
}

// SessionDialer opens a session's connection to the engine.
func (e *Engine) SessionDialer() session.Dialer {
	if e.docker == nil {
		return e.Client.Dialer()
	}
	return func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
		return e.docker.session(ctx, proto, meta)
	}
}

// Close closes the connection. If the engine was started for the job and no
// other job uses it, Close stops it.
func (e *Engine) Close(ctx context.Context) error {
	err := e.Client.Close()
	if e.docker != nil {
		err = errors.Join(err, e.docker.client.Close())
	}
	if e.stop != nil {
		err = errors.Join(err, e.stop(ctx))
	}
	return err
}

// NotFoundError says that no engine was found, and what was tried.
type NotFoundError struct {
	// Tried describes each engine that was tried.
	Tried []string
	// Causes are the errors that Tried describes.
	Causes []error
}

// Error lists what was tried.
func (e *NotFoundError) Error() string {
	return "no BuildKit engine: " + strings.Join(e.Tried, "; ")
}

// AddressError is an address that cannot be one. Nothing was asked.
type AddressError struct {
	// From is the flag, variable or field that the address stands in.
	From    string
	Problem string
	remedy  string
}

// Error names the place and the problem.
func (e *AddressError) Error() string { return e.From + ": " + e.Problem }

// Kind returns fault.Usage.
func (e *AddressError) Kind() fault.Kind { return fault.Usage }

// Hint says what to write instead.
func (e *AddressError) Hint() string { return e.remedy }

func badAddress(from, remedy, format string, args ...any) error {
	return &AddressError{From: from, Problem: fmt.Sprintf(format, args...), remedy: remedy}
}
