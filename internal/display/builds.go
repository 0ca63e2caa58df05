package display

import (
	"fmt"
	"time"

	"github.com/moby/buildkit/client"
)

// Builds shows builds under way. Its methods may be called by several
// goroutines.
type Builds interface {
	// Status receives what BuildKit says of a service.
	Status(service string, status *client.SolveStatus)
	// Retrying receives that a push failed and is tried again after a pause.
	Retrying(service string, attempt int, pause time.Duration, cause error)
	// Close ends the display.
	Close()
}

// Builds returns the display of a mode for the builds of some services: auto,
// tty, plain or quiet.
func (s *Screen) Builds(mode string, services []string) Builds {
	switch {
	case s.Structured && mode != "quiet":
		mode = "plain"
	case mode == "auto" && s.Terminal:
		mode = "tty"
	}
	switch mode {
	case "quiet":
		return quietDisplay{s}
	case "tty":
		if d := newLiveDisplay(s); d != nil {
			return d
		}
	}
	d := newPlainDisplay(s, services)
	d.remindEvery(quietTime / 4)
	return d
}

func (s *Screen) warnRetry(service string, attempt int, pause time.Duration, cause error) {
	s.Log.Warn(service, fmt.Sprintf("push attempt %d of %s failed, trying again in %s: %v", attempt, service, pause.Round(100*time.Millisecond), cause))
}

// quietDisplay shows nothing but warnings.
type quietDisplay struct{ s *Screen }

func (quietDisplay) Status(string, *client.SolveStatus) {}
func (quietDisplay) Close()                             {}
func (d quietDisplay) Retrying(service string, attempt int, pause time.Duration, cause error) {
	d.s.warnRetry(service, attempt, pause, cause)
}
