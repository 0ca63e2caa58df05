package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"slipway/internal/sandbox"
)

// Exit codes, as the help lists them.
const (
	exitDone  = 0
	exitError = 1
	exitUsage = 2
)

// usageError marks what the caller typed wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage) || errors.Is(err, sandbox.ErrOption):
		fmt.Fprintf(stderr, "slipway-sandbox: %v\ntry: slipway-sandbox serve --help\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "slipway-sandbox: %v\n", err)
		return exitError
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway-sandbox",
		Short: "A local stand-in for ECR, S3 and STS",
		Long: `slipway-sandbox stands in for the part of AWS that Slipway uses: ECR with a
real image registry behind it, S3 and STS, all on one address. Nothing survives
its end.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return usageError{errors.New("a command is needed")}
		},
		RunE:              func(*cobra.Command, []string) error { return nil }, // Args lets nothing through
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newServe(), newShow())
	return root
}

func newServe() *cobra.Command {
	var o sandbox.Options
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve until interrupted",
		Long: `serve listens, prints the environment variables that point AWS clients at it as
export lines on stdout once it is ready, and serves until SIGINT or SIGTERM.

The credentials it prints are made up; it takes any. Repositories of another
account or region get a port of their own the first time they are asked for.

A control plane for scripts:
  curl -X POST  URL/_sandbox/clock?advance=192h   move the clock, apply lifecycle policies
  curl          URL/_sandbox/calls                the requests so far, as JSON
  curl -X POST  'URL/_sandbox/archive?repository=R&digest=D'   archive an image

Exit codes: 0 interrupted, as it should be; 1 the address cannot be had or
another error; 2 wrong usage.`,
		Example: `  slipway-sandbox serve --addr 127.0.0.1:4566 > env.sh &
  . ./env.sh
  aws ecr create-repository --repository-name shop/web`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("serve takes no arguments, got %q", args)}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			return runServe(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.Addr, "addr", "127.0.0.1:4566", "host:port to listen on; port 0 takes a free one")
	f.StringVar(&o.PublicAddr, "public-addr", "", "host:port that answers name instead, for a proxy in between")
	f.StringVar(&o.Account, "account", "000000000000", "account the main address serves")
	f.StringVar(&o.Region, "region", "us-east-1", "region the main address serves")
	f.DurationVar(&o.TokenLifetime, "token-lifetime", 0, "how long an ECR token is good for (default 12h)")
	f.StringVar(&o.Dir, "dir", "", "directory for a temporary directory with the blobs (default the system's)")
	return c
}

// runServe serves until the context ends.
func runServe(ctx context.Context, o sandbox.Options, stdout, stderr io.Writer) error {
	s, err := sandbox.Start(ctx, o)
	if err != nil {
		return err
	}
	var out strings.Builder
	for _, line := range s.Env() {
		fmt.Fprintf(&out, "export %s\n", line)
	}
	if _, err := io.WriteString(stdout, out.String()); err != nil {
		return errors.Join(fmt.Errorf("printing the environment: %w", err), s.Close())
	}
	fmt.Fprintf(stderr, "serving ECR, S3 and STS on %s until interrupted\n", s.URL())
	<-ctx.Done()
	return s.Close()
}
