package display

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/progress/progressui"
	digest "github.com/opencontainers/go-digest"
)

// liveDisplay is BuildKit's own, fed by all builds at once.
type liveDisplay struct {
	s    *Screen
	feed chan *client.SolveStatus
	done chan struct{}

	mu sync.Mutex
	// lines are the steps' lines that have not ended yet.
	lines map[digest.Digest]*liveLines
	// owner is the service under whose name a step is shown: builds that share a step
	// would otherwise rename it back and forth.
	owner map[digest.Digest]string
}

// newLiveDisplay is nil when stderr cannot be drawn on.
func newLiveDisplay(s *Screen) *liveDisplay {
	ui, err := progressui.NewDisplay(s.Out.Unwrap(), progressui.TtyMode)
	if err != nil {
		return nil
	}
	d := &liveDisplay{s: s, feed: make(chan *client.SolveStatus), done: make(chan struct{}), owner: map[digest.Digest]string{}, lines: map[digest.Digest]*liveLines{}}
	go func() {
		defer close(d.done)
		// Not under the job's context: what a cancelled build says last is drawn too.
		// Warnings are in the display already, and drawing has no other error.
		_, _ = ui.UpdateFrom(context.Background(), d.feed)
	}()
	return d
}

func (d *liveDisplay) Status(service string, s *client.SolveStatus) {
	out := &client.SolveStatus{} // the display does not draw warnings
	d.mu.Lock()
	for _, v := range s.Vertexes {
		if d.owns(service, v.Digest) {
			if missedCache(v) {
				v.Name, v.Error = v.Name+" (none yet)", ""
			}
			v.Name, v.Error = d.s.shown(liveName(service, v.Name)), d.s.shown(v.Error)
			out.Vertexes = append(out.Vertexes, v)
		}
	}
	for _, v := range s.Statuses {
		if d.owns(service, v.Vertex) {
			v.ID, v.Name = d.s.shown(v.ID), d.s.shown(v.Name)
			out.Statuses = append(out.Statuses, v)
		}
	}
	for _, v := range s.Logs {
		if d.owns(service, v.Vertex) {
			out.Logs = append(out.Logs, d.whole(v)...)
		}
	}
	for _, v := range s.Vertexes {
		if v.Completed != nil && d.owns(service, v.Digest) {
			out.Logs = append(out.Logs, d.rest(v.Digest)...)
		}
	}
	d.mu.Unlock()
	d.feed <- out
}

func (d *liveDisplay) owns(service string, step digest.Digest) bool {
	owner, ok := d.owner[step]
	if !ok {
		d.owner[step], owner = service, service
	}
	return owner == service
}

// liveName puts the service into the brackets that BuildKit writes stages in.
func liveName(service, name string) string {
	if rest, ok := strings.CutPrefix(name, "["); ok {
		return "[" + service + " " + rest
	}
	return "[" + service + "] " + name
}

func (d *liveDisplay) Retrying(service string, attempt int, pause time.Duration, cause error) {
	d.s.warnRetry(service, attempt, pause, cause)
}

func (d *liveDisplay) Close() {
	close(d.feed)
	<-d.done
}
