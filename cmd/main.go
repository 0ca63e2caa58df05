// Package cmd is the command line. A command turns its flags into options, calls one
// flow, and renders the result; it alone prints and logs. Hints that name commands and
// flags are in hints*.go, and exit.go turns kinds of errors into exit codes.
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

	"slipway/cmd/joblog"
	"slipway/internal/output"
	"slipway/internal/redact"
	"slipway/project"
)

// cli is the command line of one process.
type cli struct {
	project.Host
	stdout, stderr io.Writer
	// terminal reports that stderr is one, so that a live display can be drawn.
	terminal bool
	// values reports that stdout is a terminal, where values of settings may be shown.
	values bool
	// structured reports that logs are for machines, and so is all on stderr.
	structured bool
	log        zerolog.Logger
	// jobLog is repeated at the end of a CodeBuild job; nil elsewhere.
	jobLog *joblog.Log
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
	w := &cli{
		stdout: os.Stdout, stderr: os.Stderr,
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
		values:   term.IsTerminal(int(os.Stdout.Fd())),
		Host:     project.Host{Environ: os.Environ(), Dir: dir},
	}
	if p := newPrompter(os.Stdin, os.Stderr); p != nil {
		w.Prompt = p
	}
	return run(ctx, w, os.Args[1:])
}

// run is Main without the process: the exit code of one command line.
func run(ctx context.Context, w *cli, args []string) int {
	w.openOutput()
	w.logAs("info", formatOf(args, w.LookupEnv))
	w.Events = logSink{w}
	root := newRootCommand(w)
	root.SetArgs(args)
	err := root.ExecuteContext(redact.WithContext(ctx, w.Secrets))
	w.jobLog.Repeat()
	code := exitDone
	if err != nil {
		code = exitCode(ctx, err)
		var reported *reportedError
		if !errors.As(err, &reported) {
			report(w, err)
		}
	}
	code = w.checkWritten(code)
	w.jobLog.End(code)
	return code
}
