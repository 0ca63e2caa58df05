// Command bench measures Slipway's budgets against bare BuildKit and buildx
// bake, all on one daemon and one registry in one run, and prints a Markdown
// table. It exits with 1 when a budget is missed: `make bench` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"slipway/internal/enginetest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(exitCode(run(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr))
}

// errMissed says that everything was measured and a budget was missed.
var errMissed = errors.New("missed")

// exitCode tells the error and gives the code to exit with: 0 when all budgets
// are kept, 1 for a missed one and for every other error, 2 for wrong usage.
func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	default:
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
}

// options are the command line's.
type options struct {
	runs int
	bin  string // where slipway and slipway-sandbox are
	tool string // where the pinned programs are
	only string
}

var errUsage = errors.New("wrong usage")

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.runs, "runs", 5, "how often each build is measured; the short ones three times as often")
	f.StringVar(&o.bin, "bin", "bin", "directory of slipway and slipway-sandbox (make build)")
	f.StringVar(&o.tool, "tools", ".tools/bin", "directory of buildx (make .tools/bin/buildx)")
	f.StringVar(&o.only, "only", "", "measure just this: "+strings.Join(stageNames(), ", "))
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("%w: no arguments are taken, got %q", errUsage, f.Args())
	case o.runs < 1:
		return o, fmt.Errorf("%w: -runs %d: at least 1 is needed", errUsage, o.runs)
	case o.only != "" && len(chosen(o.only)) == 0:
		return o, fmt.Errorf("%w: -only %s: take one of %s", errUsage, o.only, strings.Join(stageNames(), ", "))
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := enginetest.Available(); err != nil {
		return fmt.Errorf("the budgets are measured with a real engine, which needs Linux and root: %w", err)
	}
	b := &bench{runs: o.runs, log: stderr, load: loadAverage()}
	if err := b.open(ctx, o); err != nil {
		return errors.Join(err, b.close())
	}
	defer func() { err = errors.Join(err, b.close()) }()

	start := time.Now()
	var rows []row
	for _, s := range chosen(o.only) {
		more, err := s.measure(b, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		rows = append(rows, more...)
	}
	fmt.Fprintf(stderr, "measured in %s\n", time.Since(start).Round(time.Second))
	return report(stdout, b.facts(ctx), rows)
}

// report prints what was found; its error names the budgets that were missed.
func report(w io.Writer, facts []string, rows []row) error {
	for _, f := range facts {
		fmt.Fprintln(w, "- "+f)
	}
	fmt.Fprintln(w)
	fmt.Fprint(w, table(rows))
	var missed []string
	for _, r := range rows {
		if r.verdict == missedBudget {
			missed = append(missed, fmt.Sprintf("%s: %s, budget %s", r.what, r.figure(), r.budget))
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("%w: %s", errMissed, strings.Join(missed, "; "))
	}
	return nil
}
