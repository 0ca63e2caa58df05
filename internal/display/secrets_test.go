package display

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"slipway/rollout/diagnose"
)

// TestPlainDisplaySecrets: a secret is found although the engine cuts the output within it
// and the line is cut within it.
func TestPlainDisplaySecrets(t *testing.T) {
	var out bytes.Buffer
	s := testScreen(&out, "hush-0123456789")
	d := newPlainDisplay(s, []string{"web"})
	step := &client.Vertex{Digest: digest.FromString("x"), Name: "RUN x"}
	long := strings.Repeat("x", maxLine-8) + " hush-0123456789"
	for _, piece := range []string{"a hush-01", "23456", "789\nred \x1b[31mhush-0123", "456789\x1b[0m\n", long + "\n", "no end hush-0123456789"} {
		d.Status("web", &client.SolveStatus{Vertexes: []*client.Vertex{step}, Logs: []*client.VertexLog{{Vertex: step.Digest, Data: []byte(piece)}}})
	}
	d.Close()
	const want = "web | RUN x\nweb |   a REDACTED\nweb |   red REDACTED\n"
	if !strings.HasPrefix(out.String(), want) || strings.Contains(out.String(), "hush") || !strings.HasSuffix(out.String(), "web |   no end REDACTED\n") {
		t.Errorf("got:\n%s\nwant redacted lines that begin with:\n%s", out.String(), want)
	}
}

// TestBoundedLine: a line that never ends does not fill the memory, and what is kept is
// what it shows.
func TestBoundedLine(t *testing.T) {
	if got := clipped("old\r" + strings.Repeat("x", 2*maxPartial)); len(got) != maxPartial || got[0] != 'x' {
		t.Errorf("kept %d bytes, want the first %d after the carriage return", len(got), maxPartial)
	}
}

// drawn is what a live display would be fed with.
func drawn(d *liveDisplay, s *client.SolveStatus) *client.SolveStatus {
	got := make(chan *client.SolveStatus, 1)
	d.feed = got
	d.Status("web", s)
	return <-got
}

func newTestLive(s *Screen) *liveDisplay {
	return &liveDisplay{s: s, owner: map[digest.Digest]string{}, lines: map[digest.Digest]*liveLines{}}
}

// TestLiveDisplayForeignText: BuildKit's display draws what it is given.
func TestLiveDisplayForeignText(t *testing.T) {
	d := newTestLive(testScreen(io.Discard, "hush-hush"))
	step, now := digest.FromString("x"), time.Now()
	log := func(text string) *client.SolveStatus {
		return &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: step, Data: []byte(text)}}}
	}
	var text string
	for _, s := range []*client.SolveStatus{
		{
			Vertexes: []*client.Vertex{{Digest: step, Name: "[1/2] RUN \x1bc hush-hush\n", Error: "bad\u202e https://u:p@h/"}},
			Statuses: []*client.VertexStatus{{Vertex: step, ID: "\x1b[2J", Name: "hush-hush"}},
		},
		log("10%\r20%\rdone hush-"), log("hush\n\x1bP1\x1b\\b\b\n"), log("no end hush"),
		{Vertexes: []*client.Vertex{{Digest: step, Name: "[1/2] RUN", Completed: &now}}},
		log("late hush-hush"),
	} {
		out := drawn(d, s)
		for _, v := range out.Vertexes {
			text += v.Name + "|" + v.Error + "\n"
		}
		for _, v := range out.Statuses {
			text += v.ID + "|" + v.Name + "\n"
		}
		for _, l := range out.Logs {
			text += string(l.Data)
		}
	}
	const want = `[web 1/2] RUN \x1bc REDACTED\n|bad\u202e https://REDACTED@h/` + "\n" + `\x1b[2J|REDACTED` + "\n" +
		"10%\r20%\rdone REDACTED\n" + `b\x08` + "\n[web 1/2] RUN|\nno end hushlate REDACTED"
	if text != want {
		t.Errorf("got  %q\nwant %q", text, want)
	}
}

func FuzzLiveDisplay(f *testing.F) {
	for _, s := range []string{"plain\n", "10%\r20%\r", "\x1b[2J\x1bc\u009b", "hush-", "hush", "\r\n\n"} {
		f.Add(s, s, 3)
	}
	f.Fuzz(func(t *testing.T, first, second string, at int) {
		d := newTestLive(testScreen(io.Discard, "hush-hush"))
		step, now := digest.FromString("x"), time.Now()
		all := first + "hush-hush" + second
		at = max(0, min(at, len(all)))
		var shown string
		for _, s := range []*client.SolveStatus{
			{Logs: []*client.VertexLog{{Vertex: step, Data: []byte(all[:at])}}},
			{Logs: []*client.VertexLog{{Vertex: step, Data: []byte(all[at:])}}},
			{Vertexes: []*client.Vertex{{Digest: step, Completed: &now}}},
		} {
			for _, l := range drawn(d, s).Logs {
				shown += string(l.Data)
			}
		}
		bad := func(r rune) bool {
			return r != '\n' && r != '\r' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
		}
		if strings.ContainsFunc(shown, bad) || strings.Contains(shown, "hush-hush") {
			t.Errorf("%q is drawn as %q", all, shown)
		}
	})
}

// TestPlainDisplayWarnings prints a warning of BuildKit and has it repeated.
func TestPlainDisplayWarnings(t *testing.T) {
	var out bytes.Buffer
	d := newPlainDisplay(testScreen(&out), []string{"web"})
	d.Status("web", &client.SolveStatus{Warnings: []*client.VertexWarning{{Short: []byte("old \x1bc syntax")}}})
	d.Close()
	if want := `web | warning: old \x1bc syntax` + "\n" + `repeat: web: old \x1bc syntax` + "\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

// TestDiagnosisCut cuts a container's log line after its secrets are replaced.
func TestDiagnosisCut(t *testing.T) {
	line := strings.Repeat("x", maxLogLine-9) + " hush-0123456789"
	d := diagnose.Diagnosis{Log: []string{line}}
	got := strings.Join(testScreen(io.Discard, "hush-0123456789").Diagnosis(d), "\n")
	if want := strings.Repeat("x", maxLogLine-9) + " REDACTED"; !strings.Contains(got, want) {
		t.Errorf("got %q, want it to contain %q", got, want)
	}
	if d.Log[0] != line {
		t.Error("the diagnosis itself was changed")
	}
	d.Log = []string{strings.Repeat("x", 2*maxLogLine)}
	got = strings.Join(testScreen(io.Discard).Diagnosis(d), "\n")
	if want := strings.Repeat("x", maxLogLine-1) + "…"; !strings.Contains(got, want) || strings.Contains(got, "x"+want) {
		t.Errorf("got %q, want one line of %d characters", got, maxLogLine)
	}
}
