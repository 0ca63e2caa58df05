package cmd

import (
	"fmt"
	"io"

	"slipway/buildspec"
)

// outputEnv is the form of a build's result that a shell or a CI system reads:
// NAME=value lines, nothing quoted, for neither name can hold what would need it.
const outputEnv = "env"

// printVariables prints the hash that was asked for or derived, and what the
// revision came to be called.
func printVariables(w io.Writer, hash, revision string) error {
	_, err := fmt.Fprintf(w, "%s=%s\n%s=%s\n", buildspec.HashVariable, hash, buildspec.RevisionVariable, revision)
	return err
}
