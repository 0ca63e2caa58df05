package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"slipway/build"
	"slipway/build/solve"
	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/redact"
	"slipway/project"
)

// printingWorld is a world whose output is kept, with one secret known.
func printingWorld(stderr io.Writer, secret string) *cli {
	w := &cli{stdout: io.Discard, stderr: stderr}
	w.openOutput()
	w.Secrets.Add(secret)
	w.log = newLogger(w.stderr, "debug", "text")
	w.Events = logSink{w}
	return w
}

// TestLogForeignText: whatever a message holds, its other lines are marked, and nothing in
// it is a secret or acts on a terminal.
func TestLogForeignText(t *testing.T) {
	var out bytes.Buffer
	w := printingWorld(&out, "hush-hush")
	w.log.Warn().Msg("first\n\n==== slipway build SUCCEEDED ====\n::error::\x1bc\u202e hush-hush")
	report(w, errors.Join(errors.New("one https://u:p@h/"), fault.New(fault.Usage, errors.New("two\r\n"), "run\nthis")))
	const want = `WARNING: first
  | 
  | ==== slipway build SUCCEEDED ====
  | ::error::\x1bc\u202e REDACTED
ERROR: one https://REDACTED@h/
  | two
ERROR: what to do: run
  | this
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
	out.Reset()
	w.log = newLogger(w.stderr, "info", "json")
	w.Events = logSink{w}
	w.log.Warn().Str(serviceField, "hush-hush").Msg("two\nlines \u202e\u009b hush-hush ##vso[x]")
	var event struct{ Message, Service string }
	if err := json.Unmarshal(out.Bytes(), &event); err != nil || event.Message != "two\nlines \u202e\u009b REDACTED ##vso[x]" || event.Service != redact.Mark {
		t.Errorf("%q is %+v (%v)", out.String(), event, err)
	}
	if !strings.Contains(out.String(), `\u202e\u009b`) || strings.Contains(out.String(), "##") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("got %q", out.String())
	}
}

// TestQuestionForeignText: a question shows names as data.
func TestQuestionForeignText(t *testing.T) {
	var asked, out bytes.Buffer
	w := &cli{stdout: &out, stderr: &out, Host: project.Host{Prompt: &prompter{in: strings.NewReader("y\n"), out: &asked}}}
	w.openOutput()
	w.Secrets.Add("hush-hush")
	if yes, err := w.Confirm(t.Context(), "deploy \x1b[2J\u202ehush-hush?"); err != nil || !yes {
		t.Errorf("got %v, %v", yes, err)
	}
	if want := `deploy \x1b[2J\u202eREDACTED? [y/N] `; asked.String() != want {
		t.Errorf("asked %q, want %q", asked.String(), want)
	}
}

// TestPlainDisplaySecrets: a secret is found although the engine cuts the output within it
// and the line is cut within it.
func TestPlainDisplaySecrets(t *testing.T) {
	var out bytes.Buffer
	w := printingWorld(&out, "hush-0123456789")
	d := newPlainDisplay(w, []solve.Target{{Service: "web"}})
	step := &client.Vertex{Digest: digest.FromString("x"), Name: "RUN x"}
	long := strings.Repeat("x", maxLine-8) + " hush-0123456789"
	for _, piece := range []string{"a hush-01", "23456", "789\nred \x1b[31mhush-0123", "456789\x1b[0m\n", long + "\n", "no end hush-0123456789"} {
		d.Status("web", &client.SolveStatus{Vertexes: []*client.Vertex{step}, Logs: []*client.VertexLog{{Vertex: step.Digest, Data: []byte(piece)}}})
	}
	d.Close()
	const want = "web | RUN x\nweb |   a REDACTED\nweb |   red REDACTED\n"
	if !strings.HasPrefix(out.String(), want) || strings.Contains(out.String(), "hush") || !strings.HasSuffix(out.String(), "web |   no end REDACTED\n") {
		t.Errorf("got:\n%s", out.String())
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

func newTestLive(w *cli) *liveDisplay {
	return &liveDisplay{w: w, owner: map[digest.Digest]string{}, lines: map[digest.Digest]*liveLines{}}
}

// TestLiveDisplayForeignText: BuildKit's display draws what it is given.
func TestLiveDisplayForeignText(t *testing.T) {
	d := newTestLive(printingWorld(io.Discard, "hush-hush"))
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
		d := newTestLive(printingWorld(io.Discard, "hush-hush"))
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

// TestLearn makes the credentials of a plan known, and those that are fetched.
func TestLearn(t *testing.T) {
	w := printingWorld(io.Discard, "")
	build.LearnSecrets(w.Secrets, []solve.Target{{
		Args:      map[string]string{"NPM_TOKEN": "hush-argument", "VERSION": "version-value"},
		Secrets:   []solve.Secret{{ID: "s", Value: "hush-secret"}},
		Context:   solve.Context{Remote: "https://ci:hush-context@h/x.git"},
		Contexts:  map[string]solve.Context{"a": {Remote: "https://hush-token@h/?sig=hush-signature"}, "b": {Remote: "ssh://git-user@h/x"}},
		CacheFrom: []solve.Cache{{Type: "gha", Attrs: map[string]string{"token": "hush-cache", "scope": "scope-value"}}},
	}})
	login := build.KnownLogins(w.Secrets, func(context.Context, string) (types.AuthConfig, error) {
		return types.AuthConfig{Username: "AWS", Password: "hush-password", IdentityToken: "hush-identity"}, nil
	})
	if _, err := login(t.Context(), "host"); err != nil {
		t.Fatal(err)
	}
	c := awsclient.RedactCredentials(redact.WithContext(t.Context(), w.Secrets), aws.Config{
		Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("AKIA", "hush-secret-access-key", "hush-session-token")),
	})
	if _, err := c.Credentials.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := w.shown("hush-argument hush-secret hush-context hush-token hush-signature hush-cache hush-password hush-identity hush-secret-access-key hush-session-token")
	if want := strings.TrimSpace(strings.Repeat("REDACTED ", 10)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := w.shown("version-value scope-value git-user"); got != "version-value scope-value git-user" {
		t.Errorf("what is no secret became %q", got)
	}
}

// TestDocsUnwritten: pages that cannot be written are an error.
func TestDocsUnwritten(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteDocs(file + "/docs"); err == nil {
		t.Error("got no error")
	}
}
