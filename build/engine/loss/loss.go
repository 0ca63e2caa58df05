// Package loss notices that an engine of a pool is lost during a build.
package loss

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/buildkit/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// Watch notices that an engine of a pool is lost: its connection has ended, or it does not
// answer any more. An engine that comes back stays lost, since its builds have ended.
type Watch struct {
	client *client.Client
	// instead returns the failure behind an error, such as that of a program through
	// which the engine is reached.
	instead func(error) error
	// found is true once the engine has answered: before that, connections may end.
	found atomic.Bool
	gone  chan struct{}
	once  sync.Once
	why   error // once gone is closed
}

// New returns a watch for an engine that is not there yet.
func New() *Watch { return &Watch{gone: make(chan struct{})} }

// Start begins to watch an engine that has answered, and returns a function that ends it.
// Start takes the failure behind an error from instead.
func (w *Watch) Start(ctx context.Context, c *client.Client, instead func(error) error) context.CancelFunc {
	w.client, w.instead = c, instead
	w.found.Store(true)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go w.listen(ctx, beat, silence)
	return cancel
}

// Gone is closed when the engine is lost.
func (w *Watch) Gone() <-chan struct{} { return w.gone }

// Lost returns why the engine is lost, now that a request to it has failed; nil if it is not.
// It asks the engine.
func (w *Watch) Lost(ctx context.Context, failure error) error {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if _, err := w.client.ListWorkers(asking); err != nil && ctx.Err() == nil {
		w.lose(failure)
	}
	// gRPC reports the end of a connection a moment after the failure of its requests, and
	// an engine that was started again answers.
	select {
	case <-w.gone:
		return w.why
	case <-time.After(endTime):
		return nil
	}
}

// askTime is how long an engine may take to answer a question after a failure.
const askTime = 2 * time.Second

// endTime is how long gRPC may take to report the end of a connection.
const endTime = time.Second

func (w *Watch) lose(why error) {
	w.once.Do(func() {
		w.why = w.instead(why)
		close(w.gone)
	})
}

// beat is the pause between two questions to an engine that builds, and silence is how long
// it may leave them unanswered.
const (
	beat    = 10 * time.Second
	silence = time.Minute
)

// listen asks the engine from time to time, until the context ends: a host that has
// vanished ends no connection.
func (w *Watch) listen(ctx context.Context, beat, silence time.Duration) {
	heard := time.Now()
	for {
		select {
		case <-time.After(beat):
		case <-w.gone:
			return
		case <-ctx.Done():
			return
		}
		asking, cancel := context.WithTimeout(ctx, beat)
		_, err := w.client.ListWorkers(asking)
		cancel()
		switch {
		case err == nil:
			heard = time.Now()
		case ctx.Err() == nil && time.Since(heard) > silence:
			w.lose(fmt.Errorf("no answer for %s: %w", time.Since(heard).Round(time.Second), err))
		}
	}
}

// Option makes gRPC report the end of connections to the watch.
func (w *Watch) Option() client.ClientOpt {
	return client.WithGRPCDialOption(grpc.WithStatsHandler(connections{w}))
}

// connections is the part of a Watch that gRPC calls.
type connections struct{ watch *Watch }

// HandleConn notices the end of a connection.
func (c connections) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, end := s.(*stats.ConnEnd); end && c.watch.found.Load() {
		c.watch.lose(errors.New("the connection has ended"))
	}
}

// TagConn adds nothing.
func (connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// TagRPC adds nothing.
func (connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC does nothing.
func (connections) HandleRPC(context.Context, stats.RPCStats) {}
