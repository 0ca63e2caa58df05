package cmd

import (
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"slipway/internal/phrase"
	"slipway/internal/plain"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// rolledOut is one element of the array that rollback and rollout print as JSON.
type rolledOut struct {
	Cluster  string `json:"cluster,omitempty"`
	Service  string `json:"service"`
	Revision string `json:"revision,omitempty"`
	// Status is unchanged (left alone), started (not followed), or how it ended:
	// succeeded, failed, rolled back, timed out, interrupted, superseded, differs.
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	// Diagnosis is what there is to tell why it failed, line by line.
	Diagnosis      []string       `json:"diagnosis,omitempty"`
	Deployment     string         `json:"deployment,omitempty"`
	TaskDefinition string         `json:"taskDefinition"`
	Containers     []ranContainer `json:"containers"`
	Seconds        float64        `json:"seconds"`
}

// ranContainer is a container and the image that it was to run.
type ranContainer struct {
	Container string `json:"container"`
	Image     string `json:"image"`
	Digest    string `json:"digest,omitempty"`
}

func (d *deployJob) row(s ecs.Service, wants map[string]ecs.DesiredImage) rolledOut {
	row := rolledOut{Cluster: s.Cluster, Service: s.Ref.Service, Revision: d.name, TaskDefinition: s.Definition.ARN, Containers: []ranContainer{}, Seconds: round(time.Since(d.started))}
	for _, name := range slices.Sorted(maps.Keys(wants)) {
		c := ranContainer{Container: name, Image: wants[name].Image}
		if len(wants[name].Digests) > 0 {
			c.Digest = wants[name].Digests[0]
		}
		row.Containers = append(row.Containers, c)
	}
	return row
}

// addLeft notes a service that was left alone.
func (d *deployJob) addLeft(c ecs.Change) {
	row := d.row(c.Service, d.wants[c.Service.Ref])
	row.Status = "unchanged"
	d.rows = append(d.rows, row)
}

// add notes how a deployment ended.
func (d *deployJob) add(dep ecs.Deployment, status, reason string) {
	row := d.row(dep.Service, dep.Wants)
	row.Status, row.Reason, row.Deployment, row.TaskDefinition = status, reason, dep.ID, dep.TaskDefinition
	d.rows = append(d.rows, row)
}

// sorted is the result in the order of the services' names.
func (d *deployJob) sorted() []rolledOut {
	rows := append([]rolledOut{}, d.rows...)
	slices.SortStableFunc(rows, func(a, b rolledOut) int { return strings.Compare(a.Cluster+"/"+a.Service, b.Cluster+"/"+b.Service) })
	return rows
}

// addOutcome is add for a deployment that was followed.
func (d *deployJob) addOutcome(o follow.Outcome) {
	d.add(o.Deployment, string(o.Status), o.Reason)
	if o.Status != follow.Succeeded && o.Diagnosis != nil {
		d.rows[len(d.rows)-1].Diagnosis = d.explanation(*o.Diagnosis)
	}
	if o.Status == follow.Succeeded && o.Reason != "" {
		// The line about the end may have been cut.
		d.Infof("%s: %s", o.Deployment.Service.Ref, o.Reason)
	}
	if o.Status == follow.Succeeded && o.Deployment.Service.Desired == 0 {
		d.Warnf("%s: no task is wanted, so none has proven the images: slipway start starts them", o.Deployment.Service.Ref)
	}
}

// print writes the result to stdout.
func (d *deployJob) print(w io.Writer, output string) error {
	d.jobLog.repeat()
	if output == "json" {
		return writeJSON(w, d.sorted())
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range d.sorted() {
		plain.Fprintf(t, "%s\t%s\t%s\t%s\n", ecs.Ref{Cluster: r.Cluster, Service: r.Service}, orDash(r.Revision), r.Status, orDash(r.Deployment))
	}
	return t.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// ago tells an age as people do: 3 minutes, 2 hours, and days to the nearest.
func ago(now, then time.Time) string {
	switch d := now.Sub(then); {
	case d < time.Minute:
		return phrase.Count(max(int(d.Seconds()), 0), "second")
	case d < time.Hour:
		return phrase.Count(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return phrase.Count(int(d.Hours()), "hour")
	default:
		return phrase.Count(int((d+12*time.Hour).Hours()/24), "day")
	}
}
