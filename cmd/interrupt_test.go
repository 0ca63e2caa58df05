package cmd

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// watchedBuffer calls seen for each write.
type watchedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
	seen func(string)
}

func (b *watchedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p)
	b.seen(string(p))
	return len(p), nil
}

func (b *watchedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestInterruptAsks presses Ctrl-C while a deployment is followed: the user is asked, and
// whatever is answered, tags and deployment agree.
func TestInterruptAsks(t *testing.T) {
	for _, c := range []struct{ answer, runs string }{
		{"l\n", "one"},
		{"", "one"}, // the end of input, or a second Ctrl-C
		{"s\n", "two"},
	} {
		t.Run(c.answer, func(t *testing.T) {
			h := openHarbour(t, false)
			t.Chdir(h.dir)
			for _, line := range h.env {
				k, v, _ := strings.Cut(line, "=")
				if strings.HasPrefix(k, "AWS_") {
					t.Setenv(k, v)
				}
			}
			if err := h.aws.SetECSSpeed(1); err != nil { // it must still be under way when stopped
				t.Fatal(err)
			}
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			stderr := &watchedBuffer{seen: func(s string) {
				if strings.Contains(s, "pending") {
					interrupt()
				}
			}}
			var asked strings.Builder
			w := &world{stdout: io.Discard, stderr: stderr, dir: h.dir, environ: h.env, questions: &questions{in: strings.NewReader(c.answer), out: &asked}}
			code := run(ctx, w, []string{"rollback", "one", "--yes"})
			if code != exitInterrupted {
				t.Fatalf("exit code %d, want %d\n%s", code, exitInterrupted, stderr)
			}
			if !strings.Contains(asked.String(), "stop it and go back?") {
				t.Errorf("asked %q", asked.String())
			}
			h.stands("latest", c.runs)
			h.aws.Advance(time.Hour)
			h.runsAll(c.runs)
		})
	}
}
