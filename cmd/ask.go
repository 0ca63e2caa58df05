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

// prompter asks on the terminal, which stdin is. One goroutine reads all answers, so that a question
// that an interrupt cut short leaves no second reader behind.
type prompter struct {
	in io.Reader
	// out is the terminal: stderr, or if that went elsewhere, the controlling one.
	out   io.Writer
	once  sync.Once
	lines chan string
}

func (q *prompter) start() {
	q.lines = make(chan string)
	go func() {
		defer close(q.lines)
		s := bufio.NewScanner(q.in)
		for s.Scan() {
			q.lines <- strings.TrimSpace(s.Text())
		}
	}()
}

// newPrompter is nil where nobody can be asked: stdin is no terminal, or there is none
// to print the question on.
func newPrompter(stdin, stderr *os.File) *prompter {
	if !term.IsTerminal(int(stdin.Fd())) {
		return nil
	}
	if term.IsTerminal(int(stderr.Fd())) {
		return &prompter{in: stdin, out: stderr}
	}
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return nil
	}
	return &prompter{in: stdin, out: tty}
}

// Ask prints the question on the terminal and returns the answer, which is empty
// at the end of input.
func (q *prompter) Ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(q.out, plain.Lines(question))
	q.once.Do(q.start)
	select {
	case line := <-q.lines:
		return line, nil
	case <-ctx.Done():
		fmt.Fprintln(q.out)
		return "", ctx.Err()
	}
}
