package revisions

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/tags"
)

// apply moves the tags of one step in parallel. The first error, or an
// interrupt, keeps further ones from starting, but cuts none off: it may be
// carried out all the same, and that after undo has looked.
func apply(ctx context.Context, clients registry.Clients, s *Snapshot, step []Change) error {
	var (
		g      errgroup.Group
		mu     sync.Mutex
		failed error
	)
	lasting, done := outlive(ctx, lastCall)
	defer done()
	g.SetLimit(registry.MaxPuts)
	for i, c := range step {
		g.Go(func() error {
			mu.Lock()
			stop := failed != nil || ctx.Err() != nil
			mu.Unlock()
			if stop {
				return ctx.Err()
			}
			image, _ := s.ByDigest(c.Repository.Ref, c.To)
			err := tags.Put(lasting, clients(c.Repository.Region), c.Repository, c.Tag, image)
			if flat, ok := s.flatFor(c.To, err); ok {
				step[i].To = flat.Digest
				err = tags.Put(lasting, clients(c.Repository.Region), c.Repository, c.Tag, flat)
			}
			if err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
			return err
		})
	}
	_ = g.Wait() // its goroutines keep their errors in failed, but for an interrupt
	if failed != nil {
		return failed
	}
	return ctx.Err()
}

// lastCall is how long calls under way may still take after an interrupt.
const lastCall = 10 * time.Second

// outlive is a context that ends some time after ctx does. The function
// returned frees what it takes.
func outlive(ctx context.Context, extra time.Duration) (context.Context, func()) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(extra):
			cancel()
		case <-lasting.Done():
		}
	})
	return lasting, func() { stop(); cancel() }
}

// revertTime is how long the revert of tags may take, also after an interrupt.
const revertTime = time.Minute
