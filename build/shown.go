package build

import (
	"sync"

	"github.com/moby/buildkit/client"
)

// shown is a display that is closed once, and shows nothing after that: what is still
// done then, such as the writing of caches, goes on behind the result of the build.
type shown struct {
	Display
	mu     sync.Mutex
	closed bool
}

// Status shows a status.
func (s *shown) Status(service string, status *client.SolveStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.Display.Status(service, status)
	}
}

// Close ends the display.
func (s *shown) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.Display.Close()
	}
}
