package loss

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/client"

	"slipway/internal/enginetest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.StopAfter(m).Run()) }

// watched returns the watch of an engine, and the daemon behind it.
func watched(t *testing.T) (*Watch, *enginetest.Engine) {
	t.Helper()
	daemon := enginetest.Start(t)
	w := New()
	c, err := client.New(t.Context(), daemon.Addr, w.Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Start(t.Context(), c, func(err error) error { return err }))
	return w, daemon
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
	w, _ := watched(t)
	if why := w.Lost(t.Context(), errors.New("a build failed")); why != nil {
		t.Errorf("Lost = %v, want nil of an engine that answers", why)
	}
	select {
	case <-w.Gone():
		t.Error("the engine is gone")
	default:
	}
}

// The builds on an engine that was started again have ended.
func TestWatchNoticesARestart(t *testing.T) {
	t.Parallel()
	w, daemon := watched(t)
	daemon.Restart(t)
	awaitLoss(t, w)
	if why := w.Lost(t.Context(), errors.New("a request failed")); why == nil || why.Error() != "the connection has ended" {
		t.Errorf("Lost = %v, want that the connection has ended", why)
	}
}

// An engine that answers no new connection is lost, with what its last request said.
func TestWatchAsksAnEngineAfterAFailure(t *testing.T) {
	t.Parallel()
	w, daemon := watched(t)
	w.found.Store(false) // as if gRPC had not reported the end yet
	if err := syscall.Kill(daemon.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for why := error(nil); why == nil; {
		why = w.Lost(t.Context(), errors.New("a request failed"))
		if why != nil && why.Error() != "a request failed" {
			t.Errorf("Lost = %v, want the failure of the request", why)
		}
	}
}

// An engine whose connection stays open and that answers nothing is lost after a while.
func TestWatchNoticesSilence(t *testing.T) {
	t.Parallel()
	w, daemon := watched(t)
	if err := syscall.Kill(daemon.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(daemon.PID(), syscall.SIGCONT) })
	go w.listen(t.Context(), 20*time.Millisecond, 100*time.Millisecond)
	awaitLoss(t, w)
	if why := w.Lost(t.Context(), errors.New("a request failed")); why == nil || !strings.HasPrefix(why.Error(), "no answer for ") {
		t.Errorf("Lost = %v, want for how long there was no answer", why)
	}
}
