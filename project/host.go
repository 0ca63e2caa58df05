// Package project reads what a project is: the compose file, its x-slipway
// settings and the environment become a Plan, without a request to AWS or to an
// engine.
package project

import (
	"context"
	"fmt"
	"strings"

	"slipway/internal/event"
	"slipway/internal/redact"
)

// Host is the process in which plans are made and flows run.
type Host struct {
	// Dir is the working directory.
	Dir string
	// Environ is the environment as NAME=VALUE; the last of several counts.
	Environ []string
	// Prompt asks the user; nil if no one can answer.
	Prompt Prompt
	// Events receives what happens; nil discards it.
	Events event.Sink
	// Secrets are replaced in everything that is printed.
	Secrets *redact.Redactor
}

// Prompt asks a question on the terminal. The answer is empty at the end of
// input.
type Prompt interface {
	Ask(ctx context.Context, question string) (string, error)
}

// Getenv returns the value of an environment variable, empty if it is not set.
func (h *Host) Getenv(name string) string {
	v, _ := h.LookupEnv(name)
	return v
}

// LookupEnv returns the value of an environment variable, and reports whether
// it is set.
func (h *Host) LookupEnv(name string) (string, bool) {
	for i := len(h.Environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(h.Environ[i], name+"="); ok && name != "" {
			return value, true
		}
	}
	return "", false
}

// Interactive reports whether a user can answer a question.
func (h *Host) Interactive() bool { return h.Prompt != nil }

// Ask asks a question and returns the answer.
func (h *Host) Ask(ctx context.Context, question string) (string, error) {
	return h.Prompt.Ask(ctx, question)
}

// Confirm asks for a yes.
func (h *Host) Confirm(ctx context.Context, question string) (bool, error) {
	answer, err := h.Ask(ctx, question+" [y/N] ")
	return strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes"), err
}

// Debugf reports something of use to those who look for a fault.
func (h *Host) Debugf(format string, args ...any) { h.report(event.Debug, "", format, args) }

// Infof reports progress.
func (h *Host) Infof(format string, args ...any) { h.report(event.Info, "", format, args) }

// Warnf reports something that a reader should know and that stops nothing.
func (h *Host) Warnf(format string, args ...any) { h.report(event.Warning, "", format, args) }

// WarnError reports an error that stops nothing, as text says. Whoever renders it
// adds the error's hint.
func (h *Host) WarnError(err error, text string) {
	if h.Events != nil {
		h.Events.Report(event.Event{Level: event.Warning, Text: text, Err: err})
	}
}

// InfoError reports a fact, as text says. Whoever renders it adds the hint of err.
func (h *Host) InfoError(err error, text string) {
	if h.Events != nil {
		h.Events.Report(event.Event{Level: event.Info, Text: text, Err: err})
	}
}

// Errorf reports a failure.
func (h *Host) Errorf(format string, args ...any) { h.report(event.Error, "", format, args) }

// ServiceErrorf reports the failure of one service.
func (h *Host) ServiceErrorf(service, format string, args ...any) {
	h.report(event.Error, service, format, args)
}

func (h *Host) report(level event.Level, service, format string, args []any) {
	if h.Events == nil {
		return
	}
	h.Events.Report(event.Event{Level: level, Service: service, Text: fmt.Sprintf(format, args...)})
}

// Revision reports the name of the revision that a flow works on.
func (h *Host) Revision(name string) {
	if h.Events != nil {
		h.Events.Revision(name)
	}
}
