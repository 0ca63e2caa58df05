//go:build !linux

package build

import (
	"context"
	"errors"
)

// DefaultStateDir is empty where no engine of our own can run.
func DefaultStateDir() string { return "" }

func startOwn(context.Context, EngineOptions) (*Engine, error) {
	return nil, errors.New("buildkitd runs on Linux only")
}
