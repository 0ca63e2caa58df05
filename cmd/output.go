package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"

	"slipway/build"
	"slipway/cmd/planned"
	"slipway/cmd/summary"
	"slipway/internal/awsclient"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry/revisions"
)

// writeJSON prints a value for machines.
func writeJSON(w io.Writer, v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	return putJSON(w, text.Bytes())
}

// printPlan prints the plan on stdout.
func printPlan(w *cli, p *project.Plan, o buildOptions) error {
	if o.output == "json" {
		return writeJSON(w.stdout, planned.Services(p, o.Options))
	}
	planned.Print(w.stdout, w.Dir, p, o.Options)
	return nil
}

// printRelease prints the table on stderr and the result on stdout.
func printRelease(ctx context.Context, w *cli, o buildOptions, p *project.Plan, aws *awsclient.Clients, r *build.Release) ([]summary.Service, error) {
	for _, s := range []*revisions.Snapshot{r.Before, r.Published.Snapshot} {
		if err := s.ReadParts(ctx, aws.Registries()); err != nil {
			w.Debugf("the pushed bytes are not known: %v", err)
		}
	}
	rows := summary.Services(r, p)
	w.jobLog.Repeat()
	if w.structured {
		logRows(w, rows)
	} else {
		summary.PrintTable(w.stderr, rows)
	}
	w.Infof("revision %s is complete in %s, %s; %.1fs in all", r.Published.Name, phrase.Repositories(len(r.Components)), whereLatest(r, o), time.Since(r.Started).Seconds())
	return rows, printResult(w, o, p, r.Published.Name, rows)
}

// whereLatest says what the tag latest points to.
func whereLatest(r *build.Release, o buildOptions) string {
	switch {
	case r.LatestRevision() != "":
		return "latest points to " + r.LatestRevision()
	case o.NoLatest:
		return "latest was not moved"
	default:
		return "latest points to it"
	}
}

// printResult prints the result of a build on stdout.
func printResult(w *cli, o buildOptions, p *project.Plan, revision string, rows []summary.Service) error {
	switch {
	case o.output == outputEnv:
		return printVariables(w.stdout, p.Hash.Name, revision)
	case o.output == "json" && o.rollout:
		return nil // printed with the result of the rollout
	case o.output == "json":
		return writeJSON(w.stdout, rows)
	}
	return summary.PrintLines(w.stdout, rows)
}

// logRows logs what summary.PrintTable prints.
func logRows(w *cli, rows []summary.Service) {
	for _, r := range rows {
		line := w.log.Info().Str(serviceField, r.Service).Str("repository", r.Repository).Str("digest", r.Digest).Str("state", r.State)
		if r.BytesPushed != nil {
			line = line.Int64("pushed", *r.BytesPushed)
		}
		line.Float64("seconds", r.Seconds).Msgf("%s is built: %s, %s pushed", r.Service, r.State, phrase.ByteCount(r.BytesPushed))
	}
}

func round(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
