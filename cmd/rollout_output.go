package cmd

import (
	"cmp"
	"io"
	"text/tabwriter"

	"slipway/cmd/before"
	"slipway/internal/plain"
	"slipway/rollout"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
)

// rolloutRow is one element of the array that rollback and rollout print as JSON.
type rolloutRow struct {
	Cluster  string `json:"cluster,omitempty"`
	Service  string `json:"service"`
	Revision string `json:"revision,omitempty"`
	// Status is described at Result.
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	// Diagnosis is the cause of a failure, line by line.
	Diagnosis      []string       `json:"diagnosis,omitempty"`
	Deployment     string         `json:"deployment,omitempty"`
	TaskDefinition string         `json:"taskDefinition"`
	Before         []before.Row   `json:"before,omitempty"`
	SettingsOf     string         `json:"settingsOf,omitempty"`
	Containers     []containerRow `json:"containers"`
	Seconds        float64        `json:"seconds"`
}

// containerRow is a container and the image that it was to run.
type containerRow struct {
	Container string `json:"container"`
	Image     string `json:"image"`
	Digest    string `json:"digest,omitempty"`
}

// rolloutRows are the results for machines.
func rolloutRows(w *cli, results []rollout.Result) []rolloutRow {
	rows := []rolloutRow{}
	for _, r := range results {
		row := rolloutRow{
			Cluster: r.Service.Cluster, Service: r.Service.Service, Revision: r.Revision, Status: r.Status, Reason: r.Reason,
			Deployment: r.Deployment, TaskDefinition: r.TaskDefinition, SettingsOf: r.SettingsOf, Containers: []containerRow{}, Seconds: round(r.Duration),
			Before: before.Rows(r.Before, w.explanation),
		}
		for _, c := range r.Containers {
			row.Containers = append(row.Containers, containerRow(c))
		}
		if r.Diagnosis != nil {
			row.Diagnosis = w.explanation(*r.Diagnosis)
		}
		rows = append(rows, row)
	}
	return rows
}

// printRollouts writes the results of a rollout.
func printRollouts(w *cli, to io.Writer, results []rollout.Result, output string) error {
	w.jobLog.Repeat()
	if output == "json" {
		return writeJSON(to, rolloutRows(w, results))
	}
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, r := range results {
		plain.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Service, cmp.Or(r.Revision, "-"), r.Status, cmp.Or(r.Deployment, "-"))
	}
	return t.Flush()
}

// logRollouts logs what printRollouts prints as text.
func logRollouts(w *cli, results []rollout.Result) {
	for _, r := range results {
		w.log.Info().Str(serviceField, r.Service.String()).Str("revision", r.Revision).Str("status", r.Status).
			Str("deployment", r.Deployment).Msgf("%s: %s", r.Service, r.Status)
	}
}

// explanation returns the lines of a diagnosis and the command to type next.
func (w *cli) explanation(found diagnose.Diagnosis) []string {
	return append(w.screen().Diagnosis(found), "next: "+nextCommand(found))
}

// rolloutHooksOf render a rollout on stderr.
func rolloutHooksOf(w *cli) rollout.Hooks {
	return rollout.Hooks{
		Display: func(services []ecs.Ref) rollout.Display { return w.deployments(services) },
		Diagnosis: func(service ecs.Ref, found diagnose.Diagnosis) {
			for _, line := range w.explanation(found) {
				if w.structured {
					w.log.Error().Str(serviceField, service.String()).Msg(line)
					continue
				}
				plain.Fprintf(w.stderr, "%s\n", line)
			}
		},
	}
}
