package cmd

import (
	"net/http"
	"testing"
	"time"
)

// TestStopOfEnded lets a deployment succeed between the end of its time and the call that
// stops it: it has succeeded.
func TestStopOfEnded(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	h.speed(1)
	h.proxy.set(&rule{match: on("StopServiceDeployment", "", ""), treat: func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
		h.aws.Advance(10 * time.Minute)
		forward(w)
	}})
	h.rollback("one", "--timeout", "1s").wait(exitDone).says("had ended before it could be stopped")
	h.wantTag("latest", "one")
	h.wantTag("previous-latest", "two")
	h.runsAll("one")
}

// TestStopOfCrashed is the same for one that ECS has rolled back meanwhile.
func TestStopOfCrashed(t *testing.T) {
	t.Parallel()
	h := newECSFixture(t, false)
	h.speed(1)
	h.proxy.set(&rule{match: on("StopServiceDeployment", "", ""), treat: func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
		h.aws.Advance(20 * time.Minute)
		forward(w)
	}})
	h.rollback("bad", "--timeout", "1s").wait(exitRolledBack).says("had ended before it could be stopped", "rolled back")
	h.wantTag("latest", "two")
	h.runsAll("two")
}
