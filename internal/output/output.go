// Package output writes the lines of a command: everything that goes to its
// standard output, its standard error or the terminal passes through here.
package output

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"slipway/internal/plain"
	"slipway/internal/redact"
)

// Writer prints text without credentials and without characters that a
// terminal or a CI service acts on. It accepts everything: a command goes on
// with its work when nothing can be printed any more, and Err returns why.
// Several goroutines may use it at once.
type Writer struct {
	to      *Checked
	secrets *redact.Redactor
}

// New returns a Writer to a file, whose secrets are nil where none are known.
func New(to io.Writer, secrets *redact.Redactor) *Writer {
	return &Writer{to: Check(to), secrets: secrets}
}

// Write prints lines. Each call has whole lines, or the whole of a prompt.
func (w *Writer) Write(p []byte) (int, error) {
	w.put([]byte(plain.Lines(w.secrets.Text(string(p)))))
	return len(p), nil
}

// WriteJSON prints a JSON text: it stays one, whatever the secrets are.
func (w *Writer) WriteJSON(p []byte) {
	w.put(plain.JSON(plain.Strings(p, w.secrets.Text)))
}

// Draw prints a control sequence of Slipway's own.
func (w *Writer) Draw(sequence string) { w.put([]byte(sequence)) }

// Document prints what another program will read, as it is.
func (w *Writer) Document(p []byte) { w.put(p) }

// Unwrap returns the file, for what draws on a terminal by itself.
func (w *Writer) Unwrap() io.Writer { return w.to.to }

// Err returns the first error of writing.
func (w *Writer) Err() error { return w.to.Err() }

// put writes on behalf of a command that goes on in any case.
func (w *Writer) put(p []byte) { _, _ = w.to.Write(p) }

// Checked is a file that remembers whether it could be written. Several
// goroutines may use it at once.
type Checked struct {
	to io.Writer

	mu  sync.Mutex
	err error
}

// Check returns a Checked for a file.
func Check(to io.Writer) *Checked { return &Checked{to: to} }

// Write writes p as it is.
func (c *Checked) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.to.Write(p)
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("the output could not be written: %w", err)
	}
	return n, err
}

// Err returns the first error of writing.
func (c *Checked) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// SurviveClosedPipes makes a write to a pipe without a reader return an error
// instead of ending the process, also on standard output and standard error.
// The signal is caught rather than ignored: programs that are started would
// inherit the latter ("SIGPIPE" in the documentation of os/signal).
func SurviveClosedPipes() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
