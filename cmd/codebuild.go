package cmd

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"slipway/buildspec"
	"slipway/internal/phrase"
	"slipway/internal/plain"
)

// codeBuildLog is what a CodeBuild job says once more where its log in CloudWatch is read, at
// the end: the warnings, which scrolled away between the lines of the builds, before the
// final table, and how the job ended, last. Elsewhere there is none: nil does nothing.
type codeBuildLog struct {
	out io.Writer
	// command is the command line's, without arguments.
	command string

	mu       sync.Mutex
	warnings []string // not repeated yet, each once
	told     int      // warnings that were repeated
	changes  bool     // whether the command is one that publishes or deploys
	revision string
}

// frame is the width of the lines around the warnings.
const frame = 72

// inCodeBuild makes what goes to stderr fit for CloudWatch, in a CodeBuild job.
func (w *cli) inCodeBuild(command string) {
	if !buildspec.FromEnv(w.LookupEnv).InCodeBuild {
		return
	}
	w.terminal, w.Prompt = false, nil // nothing is redrawn, and nobody answers
	if w.structured {
		return // who reads that finds warnings by their level
	}
	w.jobLog = &codeBuildLog{out: w.stderr, command: command}
	w.log = w.log.Hook(w.jobLog)
}

// Run keeps the warnings that are logged.
func (j *codeBuildLog) Run(e *zerolog.Event, level zerolog.Level, message string) {
	if level == zerolog.WarnLevel && e.Enabled() {
		j.warn(message)
	}
}

// warn keeps one warning.
func (j *codeBuildLog) warn(text string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Contains(j.warnings, text) {
		j.warnings = append(j.warnings, text)
	}
}

// about notes that the job publishes or deploys, and which revision; empty where it has
// no name.
func (j *codeBuildLog) about(revision string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.changes, j.revision = true, revision
}

// repeat shows the warnings since the last time, in a frame.
func (j *codeBuildLog) repeat() {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.warnings) == 0 {
		return
	}
	title := phrase.Count(len(j.warnings), "warning")
	if j.told > 0 {
		title = phrase.Count(len(j.warnings), "more warning")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n---- %s %s\n", title, strings.Repeat("-", max(frame-len(title)-6, 0)))
	for _, text := range j.warnings {
		fmt.Fprintf(&b, "WARNING: %s\n", plain.Message(text))
	}
	b.WriteString(strings.Repeat("-", frame) + "\n")
	// What cannot be written to stderr cannot be told there either.
	_, _ = io.WriteString(j.out, b.String())
	j.told += len(j.warnings)
	j.warnings = nil
}

// end says how the job ended. A command that only looks says so only if it failed.
func (j *codeBuildLog) end(code int) {
	if j == nil || code == exitDone && !j.changes {
		return
	}
	how := "SUCCEEDED"
	if code != exitDone {
		how = fmt.Sprintf("FAILED with exit code %d", code)
	}
	if j.revision != "" {
		how += ": revision " + j.revision
	}
	plain.Fprintf(j.out, "\n==== %s %s ====\n", j.command, how)
}
