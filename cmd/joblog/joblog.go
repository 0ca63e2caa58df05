// Package joblog writes the end of a CodeBuild job's log, where its log in CloudWatch is
// read: the warnings, which are far up between the lines of the builds, once more before
// the final table, and how the job ended.
package joblog

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"slipway/internal/phrase"
	"slipway/internal/plain"
)

// Log repeats warnings and the result of a job at its end. A nil one does nothing. It may
// be used by several goroutines.
type Log struct {
	out     io.Writer
	command string

	mu       sync.Mutex
	warnings []string // not repeated yet, each once
	told     int      // warnings that were repeated
	changes  bool     // whether the command is one that publishes or deploys
	revision string
}

// New returns a log that writes to out. command is the command line's, without
// arguments.
func New(out io.Writer, command string) *Log { return &Log{out: out, command: command} }

// frame is the width of the lines around the warnings.
const frame = 72

// Run keeps the warnings that are logged.
func (j *Log) Run(e *zerolog.Event, level zerolog.Level, message string) {
	if level == zerolog.WarnLevel && e.Enabled() {
		j.Warn(message)
	}
}

// Warn keeps one warning.
func (j *Log) Warn(text string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Contains(j.warnings, text) {
		j.warnings = append(j.warnings, text)
	}
}

// About notes that the job publishes or deploys, and which revision; empty where it has
// no name.
func (j *Log) About(revision string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.changes, j.revision = true, revision
}

// Repeat shows the warnings since the last time, in a frame.
func (j *Log) Repeat() {
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
	// An error of stderr cannot be reported on stderr.
	_, _ = io.WriteString(j.out, b.String())
	j.told += len(j.warnings)
	j.warnings = nil
}

// End writes how the job ended, with the exit code; 0 is success. A command that only
// looks writes nothing unless it failed.
func (j *Log) End(code int) {
	if j == nil || code == 0 && !j.changes {
		return
	}
	how := "SUCCEEDED"
	if code != 0 {
		how = fmt.Sprintf("FAILED with exit code %d", code)
	}
	if j.revision != "" {
		how += ": revision " + j.revision
	}
	plain.Fprintf(j.out, "\n==== %s %s ====\n", j.command, how)
}
