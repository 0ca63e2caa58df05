package display

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"slipway/internal/plain"
)

// plainDisplay writes a line for each step that was done and for each line that a step
// printed, behind the service's name. It is made for logs such as CloudWatch's: no
// colours, no redrawing, no long lines.
type plainDisplay struct {
	s     *Screen
	width int

	mu    sync.Mutex
	steps map[string]map[digest.Digest]*plainStep
	// printed is when each service had its last line.
	printed map[string]time.Time
	now     func() time.Time
	// reminding ends the reminders of steps that print nothing.
	reminding context.CancelFunc
}

type plainStep struct {
	name    string
	started *time.Time
	partial string // a line of output whose end has not come yet
	begun   bool   // whether its name was printed
	done    bool
}

func newPlainDisplay(s *Screen, services []string) *plainDisplay {
	d := &plainDisplay{s: s, steps: map[string]map[digest.Digest]*plainStep{}, printed: map[string]time.Time{}, now: time.Now, reminding: func() {}}
	for _, service := range services {
		d.printed[service] = d.now()
		d.width = max(d.width, utf8.RuneCountInString(service))
	}
	return d
}

func (d *plainDisplay) Status(service string, s *client.SolveStatus) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range s.Vertexes {
		d.vertex(service, v)
	}
	for _, l := range s.Logs {
		d.output(service, l)
	}
	for _, w := range s.Warnings {
		d.warning(service, string(w.Short))
	}
}

func (d *plainDisplay) warning(service, text string) {
	if d.s.Structured {
		d.s.Log.Warn(service, service+": "+text)
		return
	}
	d.line(service, "warning: "+text)
	d.s.Log.Repeat(service + ": " + plain.Text(text))
}

func (d *plainDisplay) step(service string, id digest.Digest) *plainStep {
	steps := d.steps[service]
	if steps == nil {
		steps = map[digest.Digest]*plainStep{}
		d.steps[service] = steps
	}
	if steps[id] == nil {
		steps[id] = &plainStep{}
	}
	return steps[id]
}

func (d *plainDisplay) vertex(service string, v *client.Vertex) {
	step := d.step(service, v.Digest)
	step.name, step.started = v.Name, v.Started
	if v.Completed == nil || step.done {
		return
	}
	step.done = true
	d.flush(service, step)
	switch {
	case missedCache(v):
		// The first build of a repository has no cache to import: no news, and no error.
	case v.Error != "":
		d.line(service, v.Name+": "+v.Error)
	case strings.HasPrefix(v.Name, "[internal]"), contextLoad(v.Name):
		// What BuildKit does for itself is news only when it fails.
	case v.Cached:
		d.line(service, v.Name+" (cached)")
	case v.Started != nil:
		d.line(service, fmt.Sprintf("%s (%.1fs)", v.Name, v.Completed.Sub(*v.Started).Seconds()))
	}
}

// contextLoad tells the steps that read an additional context from those that use it.
func contextLoad(name string) bool {
	_, rest, ok := strings.Cut(name, "] ")
	return ok && strings.HasPrefix(name, "[context ") && strings.HasPrefix(rest, "load ")
}

// missedCache tells a cache import that found nothing from one that went wrong. BuildKit
// calls both an error of the step, and goes on without the cache.
func missedCache(v *client.Vertex) bool {
	return strings.HasPrefix(v.Name, "importing cache manifest from ") && strings.HasSuffix(v.Error, ": not found")
}

func (d *plainDisplay) output(service string, l *client.VertexLog) {
	step := d.step(service, l.Vertex)
	if !step.begun && step.name != "" {
		step.begun = true
		d.line(service, step.name)
	}
	lines := strings.Split(step.partial+string(l.Data), "\n")
	step.partial = clipped(lines[len(lines)-1])
	for _, line := range lines[:len(lines)-1] {
		d.line(service, "  "+plain.Output(line))
	}
}

// maxPartial bounds a line that does not end, in bytes. It is longer than any secret, so
// that one is seen whole.
const maxPartial = 1 << 20

// clipped is the beginning of what a line shows, if it is long.
func clipped(line string) string {
	if len(line) <= maxPartial {
		return line
	}
	line = line[strings.LastIndexByte(line, '\r')+1:]
	return line[:min(len(line), maxPartial)]
}

func (d *plainDisplay) flush(service string, step *plainStep) {
	if step.partial != "" {
		d.line(service, "  "+plain.Output(step.partial))
		step.partial = ""
	}
}

// line prints one line, however many the text has.
func (d *plainDisplay) line(service, text string) {
	d.printed[service] = d.now()
	d.s.Line(d.width, service, text)
}

func (d *plainDisplay) Retrying(service string, attempt int, pause time.Duration, cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.s.warnRetry(service, attempt, pause, cause)
}

func (d *plainDisplay) Close() {
	d.reminding()
	d.mu.Lock()
	defer d.mu.Unlock()
	for service, steps := range d.steps {
		for _, step := range steps {
			d.flush(service, step)
		}
	}
}
