package cmd

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/project"
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
			h := newECSFixture(t, false)
			h.useEnvironment(t)
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
			w := &cli{stdout: io.Discard, stderr: stderr, Host: project.Host{Dir: h.dir, Environ: h.env, Prompt: &prompter{in: strings.NewReader(c.answer), out: &asked}}}
			code := run(ctx, w, []string{"rollback", "one", "--yes"})
			if code != exitInterrupted {
				t.Fatalf("exit code %d, want %d\n%s", code, exitInterrupted, stderr)
			}
			if !strings.Contains(asked.String(), "stop it and go back?") {
				t.Errorf("asked %q", asked.String())
			}
			h.wantTag("latest", c.runs)
			h.aws.Advance(time.Hour)
			h.runsAll(c.runs)
		})
	}
}

// useEnvironment gives this process the directory and the environment of the fixture.
func (h *ecsFixture) useEnvironment(t *testing.T) {
	t.Helper()
	t.Chdir(h.dir)
	for _, line := range h.env {
		if k, v, _ := strings.Cut(line, "="); strings.HasPrefix(k, "AWS_") {
			t.Setenv(k, v)
		}
	}
}

// slowAnswer is somebody who is asked and lets things happen before he answers.
type slowAnswer struct {
	meanwhile func()
	answer    io.Reader
}

func (a slowAnswer) Read(p []byte) (int, error) {
	a.meanwhile()
	return a.answer.Read(p)
}

// TestChangedWhileAsked deploys something else while the question stands: what was shown
// is not what would be done any more, so nothing is.
func TestChangedWhileAsked(t *testing.T) {
	h := newECSFixture(t, false)
	h.pushRevision("three", nil)
	h.useEnvironment(t)
	var once sync.Once
	var stderr strings.Builder
	w := &cli{stdout: io.Discard, stderr: &stderr, Host: project.Host{Dir: h.dir, Environ: h.env, Prompt: &prompter{out: io.Discard, in: slowAnswer{
		func() { once.Do(func() { h.rollback("three").wait(exitDone) }) }, strings.NewReader("y\n"),
	}}}}
	if code := run(t.Context(), w, []string{"rollback", "one"}); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	if !strings.Contains(stderr.String(), "prod/shop has changed since it was shown: nothing was touched") {
		t.Errorf("said:\n%s", &stderr)
	}
	h.wantTag("latest", "three")
	h.runsAll("three")
}
