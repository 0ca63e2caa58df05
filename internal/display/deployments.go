package display

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"slipway/internal/plain"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// Commands returns the commands to type for a deployment that waits at a PAUSE
// lifecycle hook.
type Commands struct {
	Continue, Abort func(ecs.Ref) string
}

// Deployments shows deployments under way: a line for each piece of news, and on a
// terminal the task counts of all services in one line at the bottom. Its
// methods may be called by several goroutines.
type Deployments struct {
	s        *Screen
	commands Commands
	started  time.Time
	width    int
	live     bool
	stop     chan struct{}
	stopped  sync.WaitGroup

	mu     sync.Mutex
	order  []ecs.Ref
	counts map[ecs.Ref]string
	drawn  bool
}

// redraw is how often the clock in the live line moves.
const redraw = time.Second

// Deployments returns the display of the deployments of some services.
func (s *Screen) Deployments(refs []ecs.Ref, commands Commands) *Deployments {
	f := &Deployments{s: s, commands: commands, started: time.Now(), live: s.Live(), order: refs, counts: map[ecs.Ref]string{}, stop: make(chan struct{})}
	for _, ref := range refs {
		f.width = max(f.width, len(ref.String()))
	}
	if f.live {
		f.stopped.Go(f.tick)
	}
	return f
}

func (f *Deployments) tick() {
	t := time.NewTicker(redraw)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			f.mu.Lock()
			f.draw()
			f.mu.Unlock()
		case <-f.stop:
			return
		}
	}
}

// Close ends the live line.
func (f *Deployments) Close() {
	close(f.stop)
	f.stopped.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wipe()
	f.live = false
}

// Report shows one piece of news.
func (f *Deployments) Report(p follow.Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.Kind == follow.Counts {
		f.counts[p.Service] = fmt.Sprintf("%d/%d running", p.Running, p.Desired)
		if p.Pending > 0 {
			f.counts[p.Service] += fmt.Sprintf(", %d pending", p.Pending)
		}
		if f.live {
			f.draw()
			return
		}
		p.Text = f.counts[p.Service]
	}
	f.wipe()
	if p.Kind != follow.Paused || !f.s.Lines {
		f.news(p, p.Text, f.s.Line)
	}
	if p.Kind == follow.Paused {
		// People have read of the pause in its stage. Commands to type are never cut.
		f.news(p, "to go on, type: "+f.commands.Continue(p.Service), f.s.wholeLine)
		f.news(p, "to go back, type: "+f.commands.Abort(p.Service), f.s.wholeLine)
	}
	f.draw()
}

// Aside prints what is no news of ECS.
func (f *Deployments) Aside(print func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wipe()
	print()
	f.draw()
}

// news prints one line of news: for people by line, for machines as a message.
func (f *Deployments) news(p follow.Progress, text string, line func(width int, where, text string)) {
	if f.s.Lines {
		line(f.width, p.Service.String(), text)
		return
	}
	f.s.Log.Progress(p.Service.String(), string(p.Kind), text)
}

// wipe takes the live line away, so that a line can be printed in its place.
func (f *Deployments) wipe() {
	if f.drawn {
		f.s.Redraw("")
		f.drawn = false
	}
}

func (f *Deployments) draw() {
	if !f.live || len(f.counts) == 0 {
		return
	}
	var parts []string
	for _, ref := range f.order {
		if c, ok := f.counts[ref]; ok {
			parts = append(parts, ref.String()+" "+c)
		}
	}
	line := fmt.Sprintf("%s  %s", time.Since(f.started).Round(time.Second), strings.Join(parts, " · "))
	f.wipe()
	f.s.Out.Draw(cut(plain.Text(line), f.s.columns()-1))
	f.drawn = true
}
