package cmd

import (
	"github.com/rs/zerolog"

	"slipway/build"
	"slipway/build/target"
	"slipway/cmd/hint"
	"slipway/internal/display"
	"slipway/internal/output"
	"slipway/rollout/ecs"
)

// screen returns the display of builds and deployments under way, on stderr.
func (w *cli) screen() *display.Screen {
	out, ok := w.stderr.(*output.Writer)
	if !ok {
		out = output.New(w.stderr, w.Secrets)
	}
	lines := !w.structured && w.log.GetLevel() <= zerolog.InfoLevel
	return &display.Screen{Out: out, Secrets: w.Secrets, Terminal: w.terminal, Lines: lines, Structured: w.structured, Log: screenLog{w}}
}

// builds returns the display of a mode (--progress) for the builds of some
// targets.
func (w *cli) builds(mode string, targets []target.Target) build.Display {
	var services []string
	for _, t := range targets {
		services = append(services, t.Service)
	}
	return w.screen().Builds(mode, services)
}

// deployments returns the display of the deployments of some services.
func (w *cli) deployments(refs []ecs.Ref) *display.Deployments {
	return w.screen().Deployments(refs, display.Commands{Continue: hint.ContinueCommand, Abort: hint.AbortCommand})
}

// screenLog writes what a display reports to the log.
type screenLog struct{ w *cli }

func (l screenLog) Warn(service, text string) {
	l.w.log.Warn().Str(serviceField, service).Msg(text)
}

func (l screenLog) Progress(service, kind, text string) {
	l.w.log.Info().Str(serviceField, service).Str("kind", kind).Msg(text)
}

func (l screenLog) Repeat(warning string) { l.w.jobLog.Warn(warning) }
