//go:build !linux

package engine

import (
	"context"
	"errors"
)

// DefaultStateDir is empty where no managed engine can run.
func DefaultStateDir() string { return "" }

func startManaged(context.Context, Options) (*Engine, error) {
	return nil, errors.New("buildkitd runs on Linux only")
}

// checkState finds nothing wrong: Find says that there is no such engine.
func checkState(Options) error { return nil }

// FindRunc finds none: runc runs on Linux only.
func FindRunc(string) (string, error) { return "", errors.New("runc runs on Linux only") }
