//go:build !linux

package run

import (
	"errors"

	"slipway/internal/sandbox/ecs/process"
	"slipway/internal/sandbox/ecs/run/front"
)

// Runner runs no tasks on this system.
type Runner struct{}

// New returns an error: containers run on Linux only.
func New(Options) (*Runner, error) { return nil, errors.New("containers run on Linux only") }

// Start is never called, since New returns no Runner.
func (*Runner) Start(process.Task, func(process.State)) process.Process { return nil }

// Listeners returns none.
func (*Runner) Listeners() []front.Listener { return nil }

// Close does nothing.
func (*Runner) Close() error { return nil }
