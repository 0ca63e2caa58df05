package engine

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/internal/enginetest"
)

// watched returns an engine of a pool, and the daemon behind it.
func watched(t *testing.T) (*Engine, *enginetest.Engine) {
	t.Helper()
	daemon := enginetest.Start(t)
	e, err := candidate{Options: Options{Address: daemon.Addr, AddressFrom: "--engine"}, pooled: true}.address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.WithoutCancel(t.Context())) })
	return e, daemon
}

// awaitLoss waits until the watch has noticed the loss.
func awaitLoss(t *testing.T, w *Watch) {
	t.Helper()
	select {
	case <-w.Gone():
	case <-time.After(time.Minute):
		t.Fatal("the loss was not noticed")
	}
}

func TestWatchLeavesAnEngineThatAnswers(t *testing.T) {
	t.Parallel()
	e, _ := watched(t)
	if why := e.Watch.Lost(t.Context(), errors.New("a build failed")); why != nil {
		t.Errorf("Lost = %v, want nil of an engine that answers", why)
	}
	select {
	case <-e.Watch.Gone():
		t.Error("the engine is gone")
	default:
	}
}

// The builds on an engine that was started again have ended.
func TestWatchNoticesARestart(t *testing.T) {
	t.Parallel()
	e, daemon := watched(t)
	daemon.Restart(t)
	awaitLoss(t, e.Watch)
	if why := e.Watch.Lost(t.Context(), errors.New("a request failed")); why == nil || why.Error() != "the connection has ended" {
		t.Errorf("Lost = %v, want that the connection has ended", why)
	}
}

// An engine that answers no new connection is lost, with what its last request said.
func TestWatchAsksAnEngineAfterAFailure(t *testing.T) {
	t.Parallel()
	e, daemon := watched(t)
	e.Watch.found.Store(false) // as if gRPC had not reported the end yet
	if err := syscall.Kill(daemon.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for why := error(nil); why == nil; {
		why = e.Watch.Lost(t.Context(), errors.New("a request failed"))
		if why != nil && why.Error() != "a request failed" {
			t.Errorf("Lost = %v, want the failure of the request", why)
		}
	}
}

// An engine whose connection stays open and that answers nothing is lost after a while.
func TestWatchNoticesSilence(t *testing.T) {
	t.Parallel()
	e, daemon := watched(t)
	if err := syscall.Kill(daemon.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(daemon.PID(), syscall.SIGCONT) })
	go e.Watch.listen(t.Context(), 20*time.Millisecond, 100*time.Millisecond)
	awaitLoss(t, e.Watch)
	if why := e.Watch.Lost(t.Context(), errors.New("a request failed")); why == nil || !strings.HasPrefix(why.Error(), "no answer for ") {
		t.Errorf("Lost = %v, want for how long there was no answer", why)
	}
}
