package cmd

import (
	"context"

	"slipway/build"
	"slipway/internal/awsclient"
	"slipway/internal/plain"
	"slipway/project"
)

// decidedService is one element of the array that `build --dry-run --output json`
// prints. docs/changes.md describes it.
type decidedService struct {
	Service string      `json:"service"`
	State   build.State `json:"state"`
	Since   []string    `json:"since"`
	Changed []string    `json:"changed"`
	Reason  string      `json:"reason"`
	Key     string      `json:"key"`
	Tag     string      `json:"tag"`
}

// runDry prints what a build would build, and why.
func runDry(ctx context.Context, w *cli, o buildOptions, p *project.Plan, opened func() (*awsclient.Clients, error)) error {
	aws, err := opened()
	if err != nil {
		return err
	}
	decisions, err := build.Preview(ctx, &w.Host, aws, o.Options, p)
	if err != nil {
		return err
	}
	if o.output == "json" {
		out := []decidedService{}
		for _, d := range decisions {
			out = append(out, decidedService{d.Service, d.State, append([]string{}, d.Since...), append([]string{}, d.Changed...), d.Reason, d.Key, d.Tag})
		}
		return writeJSON(w.stdout, out)
	}
	for _, d := range decisions {
		if _, err := plain.Fprintf(w.stdout, "%s: %s\n", d.Service, d.String()); err != nil {
			return err
		}
	}
	return nil
}
