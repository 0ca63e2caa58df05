package target

import (
	"slipway/internal/fault"
	"slipway/internal/plain"
)

// The limits of the files that a build's settings name; docs/limits.md lists them.
const (
	// MaxDockerfile is the size of a Dockerfile in bytes.
	MaxDockerfile = 1 << 20
	// MaxLayoutIndex is the size of the index.json of an OCI layout in bytes.
	MaxLayoutIndex = 4 << 20
)

// badInput returns an *fault.InputError.
func badInput(where, remedy, format string, args ...any) error {
	return &fault.InputError{Where: where, Problem: plain.Sprintf(format, args...), Remedy: remedy}
}
