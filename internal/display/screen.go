// Package display shows builds and deployments under way on standard error:
// as lines, or redrawn on a terminal. Others wrote most of the text, so that
// it is redacted and escaped here.
package display

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"slipway/internal/output"
	"slipway/internal/plain"
	"slipway/internal/redact"
	"slipway/rollout/diagnose"
)

// Log receives what is logged rather than displayed. Its methods may be called
// by several goroutines.
type Log interface {
	// Warn receives a warning about a service.
	Warn(service, text string)
	// Progress receives progress of a service's build or deployment, in place of a line.
	Progress(service, kind, text string)
	// Repeat receives a warning that was displayed and that scrolls away: it is
	// to be repeated at the end.
	Repeat(warning string)
}

// Screen is standard error.
type Screen struct {
	Out *output.Writer
	// Secrets are nil where none are known.
	Secrets *redact.Redactor
	// Terminal reports that it is one, which can be drawn on.
	Terminal bool
	// Lines reports that people read it and want more than warnings: progress
	// is displayed in lines, not logged.
	Lines bool
	// Structured reports that machines read it: nothing is drawn or printed, all is
	// logged.
	Structured bool
	Log        Log
}

// Live reports whether progress is redrawn in place.
func (s *Screen) Live() bool { return s.Terminal && s.Lines }

// maxLine is the longest line of plain output, in characters.
const maxLine = 200

// maxMessage is the longest message of a log for machines, in characters.
const maxMessage = 4096

// buildKind is the kind of progress that the output of a build is.
const buildKind = "build"

// Line prints a line about something in the form "where | text", where has a
// column of that width. It is cut last, so that no part of a secret is left.
func (s *Screen) Line(width int, where, text string) {
	if s.Structured {
		s.Log.Progress(where, buildKind, cut(s.Secrets.Text(oneLine(text)), maxMessage))
		return
	}
	s.row(width, where, cut(s.shown(oneLine(text)), maxLine))
}

// wholeLine is Line for a command to type, which is never cut.
func (s *Screen) wholeLine(width int, where, text string) {
	s.row(width, where, s.shown(oneLine(text)))
}

// row prints text, which is safe, behind where.
func (s *Screen) row(width int, where, text string) {
	where = s.shown(where)
	pad := max(width-utf8.RuneCountInString(where), 0)
	// Drawn, since both are safe by now: steps may print a lot.
	s.Out.Draw(where + strings.Repeat(" ", pad) + " | " + text + "\n")
}

// Redraw prints text, which is Slipway's own, in place of the last line.
func (s *Screen) Redraw(text string) { s.Out.Draw("\r\x1b[K" + text) }

// maxLogLine is the longest line of a container's log that is shown, in
// characters.
const maxLogLine = 300

// Diagnosis returns the lines of a diagnosis. A container's log lines are cut
// when secrets are replaced in them, so that no part of a secret is left.
func (s *Screen) Diagnosis(d diagnose.Diagnosis) []string {
	lines := make([]string, len(d.Log))
	for i, line := range d.Log {
		lines[i] = cut(s.Secrets.Text(line), maxLogLine)
	}
	d.Log = lines
	return d.Lines()
}

// shown returns a text that others wrote as it may be drawn.
func (s *Screen) shown(text string) string { return plain.Text(s.Secrets.Text(text)) }

// columns returns the width of the terminal in characters.
func (s *Screen) columns() int {
	if file, ok := s.Out.Unwrap().(interface{ Fd() uintptr }); ok {
		if n, _, err := term.GetSize(int(file.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// cut returns one line of at most n characters.
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

// oneLine joins the lines of a text.
func oneLine(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\r\n"), "\n", " ")
}
