package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/appdefaults"
)

// Engine is a BuildKit that answered.
type Engine struct {
	// Client talks to it.
	Client *client.Client
	// Address is where it listens.
	Address string
	// Kind is "buildkitd" for a running daemon, "own" for one started for the job.
	Kind string
	// Why says in one sentence why this engine was taken.
	Why string
	// Fresh tells that the engine was started with an empty state: it has no cache yet.
	Fresh bool

	stop func(context.Context) error
}

// Close hangs up and, where the engine was started for the job and nobody else uses it,
// stops it.
func (e *Engine) Close(ctx context.Context) error {
	err := e.Client.Close()
	if e.stop != nil {
		err = errors.Join(err, e.stop(ctx))
	}
	return err
}

// EngineOptions say where an engine may be.
type EngineOptions struct {
	// Address is an explicit one, from a flag or BUILDKIT_HOST, or the word "own";
	// empty means search.
	Address string
	// AddressFrom names where Address was given, for messages.
	AddressFrom string
	// StateDir keeps our own engine's cache between runs.
	StateDir string
	// Binary is the buildkitd of our own engine; empty means beside this program, then PATH.
	Binary string
}

// EngineOwn is the Address that forces an engine of our own.
const EngineOwn = "own"

// NoEngineError says that no engine was found, and what was tried.
type NoEngineError struct{ Tried []string }

// Error lists what was tried.
func (e *NoEngineError) Error() string {
	return "no BuildKit engine: " + strings.Join(e.Tried, "; ")
}

// Hint says how to get an engine.
func (e *NoEngineError) Hint() string {
	return "start buildkitd and set BUILDKIT_HOST (or --engine) to its address, or put buildkitd and runc beside slipway or in PATH"
}

// FindEngine takes the first engine that answers: the explicit address; a buildkitd at
// its default socket; one of our own, started for the job. A Docker engine with the
// containerd store belongs between the last two, one with the classic store behind them.
// Errors: *NoEngineError, or the *InputError of Check.
func FindEngine(ctx context.Context, o EngineOptions) (*Engine, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	switch {
	case o.Address == EngineOwn:
		e, err := startOwn(ctx, o)
		if err != nil {
			return nil, &NoEngineError{Tried: []string{err.Error()}}
		}
		e.Why = "asked for with " + o.AddressFrom
		return e, nil
	case o.Address != "":
		return explicitEngine(ctx, o)
	}
	var tried []string
	for _, addr := range runningAddresses() {
		e, err := dialEngine(ctx, addr, probeTime)
		if err == nil {
			e.Kind, e.Why = "buildkitd", "it is running"
			return e, nil
		}
		tried = append(tried, fmt.Sprintf("%s: %v", addr, err))
	}
	e, err := startOwn(ctx, o)
	if err == nil {
		e.Why = "no other engine is running"
		return e, nil
	}
	return nil, &NoEngineError{Tried: append(tried, "our own: "+err.Error())}
}

// Waiting times for an engine to answer: one that was named may still be starting, if its
// socket is there.
const (
	probeTime    = 2 * time.Second
	explicitTime = 20 * time.Second
)

// Check tells whether the address can be one, asking nobody. The error is an *InputError.
func (o EngineOptions) Check() error {
	if o.Address == "" || o.Address == EngineOwn || strings.Contains(o.Address, "://") {
		return nil
	}
	return badInput(o.AddressFrom, "write unix:///run/buildkit/buildkitd.sock or tcp://host:port, or own", "%q is no engine address", o.Address)
}

func explicitEngine(ctx context.Context, o EngineOptions) (*Engine, error) {
	wait := explicitTime
	if path, ok := strings.CutPrefix(o.Address, "unix://"); ok {
		if _, err := os.Stat(path); err != nil {
			wait = probeTime
		}
	}
	e, err := dialEngine(ctx, o.Address, wait)
	if err != nil {
		return nil, &NoEngineError{Tried: []string{fmt.Sprintf("%s: no engine answers at %s: %v", o.AddressFrom, o.Address, err)}}
	}
	e.Kind, e.Why = "buildkitd", "named by "+o.AddressFrom
	return e, nil
}

// runningAddresses are the default sockets of a buildkitd, the system's and a user's,
// that exist on this host.
func runningAddresses() []string {
	var out []string
	for _, addr := range []string{appdefaults.Address, appdefaults.UserAddress()} {
		if _, err := os.Stat(strings.TrimPrefix(addr, "unix://")); err == nil && (len(out) == 0 || out[0] != addr) {
			out = append(out, addr)
		}
	}
	return out
}

// dialEngine connects and waits until the engine lists a worker.
func dialEngine(ctx context.Context, addr string, wait time.Duration) (*Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	c, err := client.New(ctx, addr)
	if err != nil {
		return nil, err
	}
	for {
		workers, err := c.ListWorkers(ctx)
		if err == nil && len(workers) > 0 {
			return &Engine{Client: c, Address: addr}, nil
		}
		if err == nil {
			err = errors.New("it has no worker")
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, c.Close())
		case <-time.After(retryPause):
		}
	}
}

const retryPause = 50 * time.Millisecond
