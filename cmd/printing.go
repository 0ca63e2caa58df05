package cmd

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"slipway/internal/output"
	"slipway/internal/plain"
	"slipway/internal/redact"
	"slipway/rollout/diagnose"
)

// openOutput lets everything that the command prints pass through internal/output, which
// replaces the secrets that are known: those of the environment from the start.
func (w *cli) openOutput() {
	w.Secrets = &redact.Redactor{}
	w.Secrets.AddEnviron(w.Environ)
	w.stdout, w.stderr = output.New(w.stdout, w.Secrets), output.New(w.stderr, w.Secrets)
	if p, ok := w.Prompt.(*prompter); ok {
		p.out = output.New(p.out, w.Secrets)
	}
}

// checkWritten reports a result that could not be written to stdout, and returns the exit
// code of the command: what was done stays done, but it is not a success.
func (w *cli) checkWritten(code int) int {
	out, ok := w.stdout.(*output.Writer)
	if !ok || out.Err() == nil {
		return code
	}
	w.log.Error().Msgf("standard output: %v", out.Err())
	if code == exitDone {
		return exitOther
	}
	return code
}

// line prints a line about something on stderr, in the form "where | text", where has a
// column of that width. It is cut last, so that no part of a secret is left.
func (w *cli) line(width int, where, text string) {
	w.row(width, where, cut(w.shown(oneLine(text)), maxLine))
}

// maxLogLine is the longest line of a container's log that is shown, in characters.
const maxLogLine = 300

// diagnosis is what a diagnosis says, line by line. A container's log lines are cut when
// Secrets are replaced in them, so that no part of a secret is left.
func (w *cli) diagnosis(d diagnose.Diagnosis) []string {
	lines := make([]string, len(d.Log))
	for i, line := range d.Log {
		lines[i] = cut(w.Secrets.Text(line), maxLogLine)
	}
	d.Log = lines
	return d.Lines()
}

// wholeLine is line for a command to type, which is never cut.
func (w *cli) wholeLine(width int, where, text string) {
	w.row(width, where, w.shown(oneLine(text)))
}

// row prints text, which is safe, behind where.
func (w *cli) row(width int, where, text string) {
	where = w.shown(where)
	pad := max(width-utf8.RuneCountInString(where), 0)
	// Drawn, since both are safe by now: steps may print a lot.
	w.draw(where + strings.Repeat(" ", pad) + " | " + text + "\n")
}

// oneLine joins the lines of a text.
func oneLine(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\r\n"), "\n", " ")
}

// shown is a text that others wrote as it may be drawn.
func (w *cli) shown(text string) string { return plain.Text(w.Secrets.Text(text)) }

// draw prints what is Slipway's own, control sequences included, or was made so.
func (w *cli) draw(text string) {
	if out, ok := w.stderr.(*output.Writer); ok {
		out.Draw(text)
		return
	}
	fmt.Fprint(w.stderr, text)
}

// screen is the file that stderr is, for what draws by itself or asks for its size.
func (w *cli) screen() io.Writer {
	if out, ok := w.stderr.(*output.Writer); ok {
		return out.Unwrap()
	}
	return w.stderr
}

// writeDocument prints what another program reads, such as a buildspec, as it is.
func writeDocument(to io.Writer, text []byte) error {
	if out, ok := to.(*output.Writer); ok {
		out.Document(text)
		return nil
	}
	_, err := to.Write(text)
	return err
}

// putJSON prints a JSON text: its strings are what is redacted and escaped.
func putJSON(to io.Writer, text []byte) error {
	if out, ok := to.(*output.Writer); ok {
		out.WriteJSON(text)
		return nil
	}
	_, err := to.Write(plain.JSON(text))
	return err
}

// jsonLog takes the lines of a log for machines.
type jsonLog struct{ to io.Writer }

func (l jsonLog) Write(line []byte) (int, error) { return len(line), putJSON(l.to, line) }

// onLines lets a message of several lines show which of them are its own.
func onLines(event map[string]any) error {
	if text, ok := event[zerolog.MessageFieldName].(string); ok {
		event[zerolog.MessageFieldName] = plain.Message(text)
	}
	return nil
}
