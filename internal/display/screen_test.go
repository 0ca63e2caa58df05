package display

import (
	"fmt"
	"io"

	"slipway/internal/output"
	"slipway/internal/redact"
)

// testLog prints what is logged.
type testLog struct{ to io.Writer }

func (l testLog) Warn(_, text string) { fmt.Fprintf(l.to, "WARNING: %s\n", text) }
func (l testLog) Progress(service, kind, text string) {
	fmt.Fprintf(l.to, "%s %s: %s\n", service, kind, text)
}
func (l testLog) Repeat(text string) { fmt.Fprintf(l.to, "repeat: %s\n", text) }

// testScreen returns a screen whose output is kept, with some secrets known.
func testScreen(to io.Writer, secrets ...string) *Screen {
	s := &Screen{Secrets: &redact.Redactor{}, Lines: true}
	s.Secrets.Add(secrets...)
	s.Out = output.New(to, s.Secrets)
	s.Log = testLog{s.Out}
	return s
}
