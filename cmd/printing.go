package cmd

import (
	"io"

	"github.com/rs/zerolog"

	"slipway/internal/output"
	"slipway/internal/plain"
	"slipway/internal/redact"
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
