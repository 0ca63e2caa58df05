package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/build/engine/loss"
)

// Find takes the first engine that answers and can do what the build needs: the one that
// was asked for; else a buildkitd at its default socket, a Docker engine with the
// containerd store, a managed buildkitd, a Docker engine with the classic store.
// Where engines are named by platform, there is one for each, in the order named. Of a
// pool, Find returns each engine that answers, in the order named.
// Errors: *NotFoundError, *CannotError, *MixedError, or the *AddressError of Check.
func Find(ctx context.Context, o Options) ([]*Engine, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	places, err := o.split()
	if err != nil {
		return nil, err
	}
	pools := pools(places)
	found := make([]answers, len(pools))
	g, gctx := errgroup.WithContext(ctx)
	for i, p := range pools {
		g.Go(func() (err error) {
			found[i], err = p.find(gctx)
			return err
		})
	}
	err = g.Wait()
	var out []*Engine
	for _, a := range found {
		out = append(out, a.found...)
	}
	if errors.Is(ctx.Err(), context.Canceled) { // whatever the engines answered, the user no longer waits
		err = fmt.Errorf("interrupted while looking for an engine: %w", ctx.Err())
	}
	if err != nil {
		// An engine that cannot be closed does not matter compared to err.
		_ = closeAll(context.WithoutCancel(ctx), out)
		return nil, err
	}
	for _, a := range found {
		for _, s := range a.silent {
			o.silent(s)
		}
	}
	return out, nil
}

func closeAll(ctx context.Context, engines []*Engine) error {
	var errs []error
	for _, e := range engines {
		if e != nil {
			errs = append(errs, e.Close(ctx))
		}
	}
	return errors.Join(errs...)
}

// find is the engine of one address, or the result of a search.
func (p candidate) find(ctx context.Context) (*Engine, error) {
	e, err := p.named(ctx)
	if e != nil {
		e.Platform = p.platform
	}
	if e == nil && err == nil {
		return p.search(ctx)
	}
	if err != nil {
		return nil, err
	}
	if lacks := e.missing(p.Requirements); len(lacks) > 0 {
		_ = e.Close(context.WithoutCancel(ctx)) // it was asked, and that is all
		return nil, &CannotError{e, lacks}
	}
	return e, nil
}

// named is the engine that was asked for; nil when none was.
func (p candidate) named(ctx context.Context) (e *Engine, err error) {
	if p.Address == "" {
		return nil, nil
	}
	kind, word := p.kind()
	why := "asked for with " + p.AddressFrom
	switch {
	case !word:
		e, err = p.address(ctx)
		why = "named by " + p.AddressFrom
	case kind == Managed:
		e, err = startManaged(ctx, p.Options)
	case kind == Docker:
		e, err = p.docker(ctx, explicitTime)
	default:
		e, err = running(ctx)
	}
	var address *AddressError
	switch {
	case errors.As(err, &address):
		return nil, err
	case err != nil:
		return nil, &NotFoundError{Tried: []string{err.Error()}, Causes: []error{err}}
	}
	e.Why = why
	return e, nil
}

// search goes through what may be there. A Docker engine is asked once, for the place
// that it takes goes by its store.
func (p candidate) search(ctx context.Context) (*Engine, error) {
	s := &search{candidate: p}
	e, err := running(ctx)
	if s.takes(ctx, e, err, "it is running") {
		return e, nil
	}
	docker, dockerErr := p.docker(ctx, 0)
	if docker != nil && docker.Images == nil {
		if s.takes(ctx, docker, nil, "it is running, and no buildkitd is") {
			return docker, nil
		}
		docker = nil
	}
	if ctx.Err() != nil {
		if docker != nil {
			_ = docker.Close(ctx) // the user no longer waits for it
		}
		return nil, ctx.Err()
	}
	started, err := startManaged(ctx, p.Options)
	if s.takes(ctx, started, wrapped("managed engine", err), "no other engine is running") {
		if docker != nil {
			started.Why = "the Docker engine that is running has the classic store, which cannot push"
			_ = docker.Close(ctx) // it is not needed
		}
		return started, nil
	}
	// One that takes the connection and does not answer is starting.
	if dockerErr != nil && (p.DockerStarts || errors.Is(dockerErr, context.DeadlineExceeded)) {
		docker, dockerErr = p.docker(ctx, DockerStartTime)
	}
	if docker == nil && dockerErr == nil {
		return nil, s.failed() // it was passed over
	}
	if s.takes(ctx, docker, dockerErr, "no other engine is running or could be started") {
		return docker, nil
	}
	return nil, s.failed()
}

// search remembers why engines were passed over.
type search struct {
	candidate
	tried  []string
	causes []error
}

// takes reports whether the engine exists and supports what is needed; one that
// does not is closed.
func (s *search) takes(ctx context.Context, e *Engine, err error, why string) bool {
	if err == nil {
		if lacks := e.missing(s.Requirements); len(lacks) > 0 {
			err = &CannotError{e, lacks}
			_ = e.Close(ctx) // nothing was built on it yet
		}
	}
	if err != nil {
		s.tried = append(s.tried, err.Error())
		s.causes = append(s.causes, err)
		return false
	}
	e.Why = why
	return true
}

func (s *search) failed() error { return &NotFoundError{Tried: s.tried, Causes: s.causes} }

func wrapped(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Waiting times for an engine to answer: one that was named may still be starting, if its
// socket is there.
const (
	probeTime    = 2 * time.Second
	explicitTime = 20 * time.Second
)

// noSocket reports whether an address on this host leads to a socket that does
// not exist.
func noSocket(address string) bool {
	path, ok := strings.CutPrefix(address, "unix://")
	return ok && !exists(path)
}

// address is the buildkitd at an explicit address.
func (p candidate) address(ctx context.Context) (*Engine, error) {
	wait := explicitTime
	if noSocket(p.Address) {
		wait = probeTime
	}
	var guard *loss.Watch
	if p.pooled {
		guard = loss.New()
	}
	e, err := dial(ctx, p.Address, p.TLS, wait, guard)
	if err != nil {
		return nil, &SilentError{From: p.AddressFrom, Address: p.Address, TLS: p.TLS != "", Err: err}
	}
	e.Kind, e.ClearText = Buildkitd, p.clearText()
	return e, nil
}

// SilentError is an address where no engine answers.
type SilentError struct {
	// From names the flag, variable or field of the address.
	From string
	// Address is the address. It may have a password in it.
	Address string
	// TLS reports whether certificates were given.
	TLS bool
	Err error
}

// Error names the address without a password, and the cause.
func (e *SilentError) Error() string {
	return fmt.Sprintf("%s: no engine answers at %s: %v", e.From, shown(e.Address), e.Err)
}

// Unwrap returns the cause.
func (e *SilentError) Unwrap() error { return e.Err }
