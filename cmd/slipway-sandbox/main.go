// Command slipway-sandbox runs a local stand-in for the part of AWS that
// Slipway uses, to rehearse builds without an account. The work is done by
// package internal/sandbox; here are its flags, output and exit code.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"slipway/internal/output"
)

func main() {
	output.SurviveClosedPipes()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
