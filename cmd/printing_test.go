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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/docker/cli/cli/config/types"

	"slipway/build"
	"slipway/build/target"
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
		t.Errorf("got %q, want one line with escaped characters", out.String())
	}
}

// TestQuestionForeignText: a question shows names as data.
func TestQuestionForeignText(t *testing.T) {
	var asked, out bytes.Buffer
	w := &cli{stdout: &out, stderr: &out, Host: project.Host{Prompt: &prompter{in: strings.NewReader("y\n"), out: &asked}}}
	w.openOutput()
	w.Secrets.Add("hush-hush")
	if yes, err := w.Confirm(t.Context(), "deploy \x1b[2J\u202ehush-hush?"); err != nil || !yes {
		t.Errorf("got %v, %v, want yes", yes, err)
	}
	if want := `deploy \x1b[2J\u202eREDACTED? [y/N] `; asked.String() != want {
		t.Errorf("asked %q, want %q", asked.String(), want)
	}
}

// TestLearn makes the credentials of a plan known, and those that are fetched.
func TestLearn(t *testing.T) {
	w := printingWorld(io.Discard, "")
	build.LearnSecrets(w.Secrets, []target.Target{{
		Args:      map[string]string{"NPM_TOKEN": "hush-argument", "VERSION": "version-value"},
		Secrets:   []target.Secret{{ID: "s", Value: "hush-secret"}},
		Context:   target.Context{Remote: "https://ci:hush-context@h/x.git"},
		Contexts:  map[string]target.Context{"a": {Remote: "https://hush-token@h/?sig=hush-signature"}, "b": {Remote: "ssh://git-user@h/x"}},
		CacheFrom: []target.Cache{{Type: "gha", Attrs: map[string]string{"token": "hush-cache", "scope": "scope-value"}}},
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
	got := w.Secrets.Text("hush-argument hush-secret hush-context hush-token hush-signature hush-cache hush-password hush-identity hush-secret-access-key hush-session-token")
	if want := strings.TrimSpace(strings.Repeat("REDACTED ", 10)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := w.Secrets.Text("version-value scope-value git-user"); got != "version-value scope-value git-user" {
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
