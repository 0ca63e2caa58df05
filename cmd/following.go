package cmd

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"slipway/internal/plain"
	"slipway/rollout"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// following shows deployments under way on stderr: a line for each piece of news, and on
// a terminal the task counts of all services in one line at the bottom.
type following struct {
	w       *cli
	started time.Time
	width   int
	live    bool
	stop    chan struct{}
	stopped sync.WaitGroup

	mu     sync.Mutex
	order  []ecs.Ref
	counts map[ecs.Ref]string
	drawn  bool
}

// redraw is how often the clock in the live line moves.
const redraw = time.Second

func newFollowing(w *cli, refs []ecs.Ref) *following {
	f := &following{w: w, started: time.Now(), live: w.terminal && w.talks(), order: refs, counts: map[ecs.Ref]string{}, stop: make(chan struct{})}
	for _, ref := range refs {
		f.width = max(f.width, len(ref.String()))
	}
	if f.live {
		f.stopped.Go(f.tick)
	}
	return f
}

func (f *following) tick() {
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
func (f *following) Close() {
	close(f.stop)
	f.stopped.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wipe()
	f.live = false
}

// Report shows one piece of news.
func (f *following) Report(p follow.Progress) {
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
	if p.Kind != follow.Paused || !f.w.talks() {
		f.news(p, p.Text, f.w.line)
	}
	if p.Kind == follow.Paused {
		// People have read of the pause in its stage. Commands to type are never cut.
		f.news(p, "to go on, type: "+rollout.ContinueCommand(p.Service), f.w.wholeLine)
		f.news(p, "to go back, type: "+rollout.AbortCommand(p.Service), f.w.wholeLine)
	}
	f.draw()
}

// Aside prints what is no news of ECS.
func (f *following) Aside(print func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wipe()
	print()
	f.draw()
}

// news prints one line of news: for people by line, for machines as a message.
func (f *following) news(p follow.Progress, text string, line func(width int, where, text string)) {
	if f.w.talks() {
		line(f.width, p.Service.String(), text)
		return
	}
	f.w.log.Info().Str(serviceField, p.Service.String()).Str("kind", string(p.Kind)).Msg(text)
}

// talks tells whether people read stderr and want more than warnings.
func (w *cli) talks() bool { return !w.structured && w.log.GetLevel() <= zerolog.InfoLevel }

// wipe takes the live line away, so that a line can be printed in its place.
func (f *following) wipe() {
	if f.drawn {
		f.w.draw("\r\x1b[K")
		f.drawn = false
	}
}

func (f *following) draw() {
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
	f.w.draw(cut(plain.Text(line), f.w.columns()-1))
	f.drawn = true
}

// columns is the width of the terminal that stderr is.
func (w *cli) columns() int {
	if file, ok := w.screen().(interface{ Fd() uintptr }); ok {
		if n, _, err := term.GetSize(int(file.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// cut is one line of at most n characters.
func cut(text string, n int) string {
	text = oneLine(text)
	if len(text) <= n {
		return text
	}
	if runes := []rune(text); len(runes) > n {
		return string(runes[:max(n-1, 0)]) + "…"
	}
	return text
}
