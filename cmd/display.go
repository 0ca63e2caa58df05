package cmd

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/progress/progressui"
	digest "github.com/opencontainers/go-digest"

	"slipway/build"
	"slipway/build/solve"
	"slipway/internal/plain"
)

// newDisplay returns the display of a mode: auto, tty, plain or quiet.
func newDisplay(w *cli, mode string, targets []solve.Target) build.Display {
	if mode == "auto" {
		mode = "plain"
		if w.terminal {
			mode = "tty"
		}
	}
	switch mode {
	case "quiet":
		return quietDisplay{w}
	case "tty":
		if d := newLiveDisplay(w); d != nil {
			return d
		}
	}
	d := newPlainDisplay(w, targets)
	d.remindEvery(quietTime / 4)
	return d
}

func tellRetry(w *cli, service string, attempt int, pause time.Duration, cause error) {
	w.log.Warn().Str(serviceField, service).Msgf("push attempt %d of %s failed, trying again in %s: %v", attempt, service, pause.Round(100*time.Millisecond), cause)
}

type quietDisplay struct{ w *cli }

func (quietDisplay) Status(string, *client.SolveStatus) {}
func (quietDisplay) Close()                             {}
func (d quietDisplay) Retrying(service string, attempt int, pause time.Duration, cause error) {
	tellRetry(d.w, service, attempt, pause, cause)
}

// liveDisplay is BuildKit's own, fed by all builds at once.
type liveDisplay struct {
	w    *cli
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
func newLiveDisplay(w *cli) *liveDisplay {
	ui, err := progressui.NewDisplay(w.screen(), progressui.TtyMode)
	if err != nil {
		return nil
	}
	d := &liveDisplay{w: w, feed: make(chan *client.SolveStatus), done: make(chan struct{}), owner: map[digest.Digest]string{}, lines: map[digest.Digest]*liveLines{}}
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
			v.Name, v.Error = d.w.shown(liveName(service, v.Name)), d.w.shown(v.Error)
			out.Vertexes = append(out.Vertexes, v)
		}
	}
	for _, v := range s.Statuses {
		if d.owns(service, v.Vertex) {
			v.ID, v.Name = d.w.shown(v.ID), d.w.shown(v.Name)
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
	tellRetry(d.w, service, attempt, pause, cause)
}

func (d *liveDisplay) Close() {
	close(d.feed)
	<-d.done
}

// plainDisplay writes a line for each step that was done and for each line that a step
// printed, behind the service's name. It is made for logs such as CloudWatch's: no
// colours, no redrawing, no long lines.
type plainDisplay struct {
	w     *cli
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

// maxLine is the longest line of plain output, in characters.
const maxLine = 200

func newPlainDisplay(w *cli, targets []solve.Target) *plainDisplay {
	d := &plainDisplay{w: w, steps: map[string]map[digest.Digest]*plainStep{}, printed: map[string]time.Time{}, now: time.Now, reminding: func() {}}
	for _, t := range targets {
		d.printed[t.Service] = d.now()
		d.width = max(d.width, utf8.RuneCountInString(t.Service))
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
	for _, warning := range s.Warnings {
		d.line(service, "warning: "+string(warning.Short))
		d.w.jobLog.warn(service + ": " + plain.Text(string(warning.Short)))
	}
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
	d.w.line(d.width, service, text)
}

func (d *plainDisplay) Retrying(service string, attempt int, pause time.Duration, cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	tellRetry(d.w, service, attempt, pause, cause)
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
