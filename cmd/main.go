// Package cmd is the command line: one file per command, the flow of a build once in
// pipeline.go, and the only room that prints, logs or knows cobra.
package cmd

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"slipway/internal/output"
	"slipway/internal/redact"
)

// world is what a command sees of the process it runs in.
type world struct {
	stdout, stderr io.Writer
	// terminal tells that stderr is one, so that a live display can be drawn.
	terminal bool
	// questions asks the user; nil where nobody can answer.
	questions *questions
	// structured tells that logs are for machines, and so is all on stderr.
	structured bool
	environ    []string
	// dir is the working directory.
	dir string
	log zerolog.Logger
	// jobLog is what a CodeBuild job says again at its end; nil elsewhere.
	jobLog *jobLog
	// secrets are replaced in everything that is printed.
	secrets *redact.Redactor
}

func (w *world) getenv(name string) string {
	v, _ := w.lookupenv(name)
	return v
}

func (w *world) lookupenv(name string) (string, bool) {
	for i := len(w.environ) - 1; i >= 0; i-- {
		if e := w.environ[i]; len(e) > len(name) && e[len(name)] == '=' && e[:len(name)] == name {
			return e[len(name)+1:], true
		}
	}
	return "", false
}

// Main runs the command line of this process and returns its exit code. The first
// interrupt ends the job in order; the second one ends the process.
func Main() int {
	output.SurviveClosedPipes()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	w := &world{
		stdout: os.Stdout, stderr: os.Stderr,
		terminal:  term.IsTerminal(int(os.Stderr.Fd())),
		questions: newQuestions(os.Stdin, os.Stderr),
		environ:   os.Environ(),
		dir:       dir,
	}
	return run(ctx, w, os.Args[1:])
}

// run is Main without the process: the exit code of one command line.
func run(ctx context.Context, w *world, args []string) int {
	w.openOutput()
	w.log = newLogger(w.stderr, "info", "text")
	root := newRootCommand(w)
	root.SetArgs(args)
	err := root.ExecuteContext(redact.WithContext(ctx, w.secrets))
	w.jobLog.repeat()
	code := exitDone
	if err != nil {
		code = exitCode(ctx, err)
		var reported *reportedError
		if !errors.As(err, &reported) {
			report(w, err)
		}
	}
	code = w.checkWritten(code)
	w.jobLog.end(code)
	return code
}
