package cmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"slipway/internal/plain"
)

// questions asks on the terminal, which stdin is. One goroutine reads all answers, so that a question
// that an interrupt cut short leaves no second reader behind.
type questions struct {
	in io.Reader
	// out is the terminal: stderr, or if that went elsewhere, the controlling one.
	out   io.Writer
	once  sync.Once
	lines chan string
}

func (q *questions) start() {
	q.lines = make(chan string)
	go func() {
		defer close(q.lines)
		s := bufio.NewScanner(q.in)
		for s.Scan() {
			q.lines <- strings.TrimSpace(s.Text())
		}
	}()
}

// newQuestions is nil where nobody can be asked: stdin is no terminal, or there is none
// to print the question on.
func newQuestions(stdin, stderr *os.File) *questions {
	if !term.IsTerminal(int(stdin.Fd())) {
		return nil
	}
	if term.IsTerminal(int(stderr.Fd())) {
		return &questions{in: stdin, out: stderr}
	}
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return nil
	}
	return &questions{in: stdin, out: tty}
}

// interactive tells whether somebody can be asked.
func (w *world) interactive() bool { return w.questions != nil }

// ask prints the question on the terminal and returns the answer: empty at the end of input.
func (w *world) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(w.questions.out, plain.Lines(question))
	w.questions.once.Do(w.questions.start)
	select {
	case line := <-w.questions.lines:
		return line, nil
	case <-ctx.Done():
		fmt.Fprintln(w.questions.out)
		return "", ctx.Err()
	}
}

// confirm asks for a yes.
func (w *world) confirm(ctx context.Context, question string) (bool, error) {
	answer, err := w.ask(ctx, question+" [y/N] ")
	return strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes"), err
}
