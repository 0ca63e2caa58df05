package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"slipway/build"
	"slipway/internal/fault"
	"slipway/registry/revisions"
	"slipway/rollout"
	"slipway/rollout/ecs"
	"slipway/rollout/oneoff"
	"slipway/rollout/task"
)

// addBeforeFlag adds the flag of the commands that run one-off tasks.
func addBeforeFlag(f *pflag.FlagSet, o *rollout.Options) {
	f.DurationVar(&o.BeforeTimeout, "before-timeout", oneoff.DefaultTimeout, "how long a one-off task may take before it is stopped")
}

// checkBefore refuses a time limit that is not positive.
func checkBefore(o rollout.Options) error {
	if o.BeforeTimeout <= 0 {
		return fault.New(fault.Usage, fmt.Errorf("--before-timeout: want a positive duration, have %s", o.BeforeTimeout), "leave the flag out for 15m")
	}
	return nil
}

// before runs the one-off tasks of a build that deploys: its images are pushed, and no tag
// has moved.
func (b *buildRollout) before(ctx context.Context, components []*build.Component, known *revisions.Snapshot) error {
	b.site.AllowMissing = false
	if err := b.site.Read(ctx, &b.w.Host, b.aws); err != nil {
		return err
	}
	digest := func(c *build.Component) string { return c.ImageURI("", "digest") }
	err := b.site.SetImagesBefore(func(d task.Definition, i int) (string, error) {
		for _, c := range components {
			if planned, ok := b.plan.ComponentOf(d.Services[i]); ok && planned.Ref == c.Ref {
				return digest(c), nil
			}
		}
		return d.Input.Containers[i].Image, nil
	})
	if err != nil {
		return err
	}
	images := b.desired(components, func(c *build.Component) ecs.DesiredImage {
		image := ecs.DesiredImage{Image: digest(c), Digests: []string{c.Digest}}
		if there, ok := known.ByDigest(c.Repository.Ref, c.Digest); ok {
			image.Digests = revisions.Platforms(there)
		}
		return image
	})
	return rollout.RunBefore(ctx, &b.w.Host, b.aws, b.o.deploy, b.site, &rollout.Target{Desired: images}, rolloutHooksOf(b.w))
}

// beforeRow is a one-off task in the JSON of a rollout.
type beforeRow struct {
	Task string `json:"task"`
	// Status is described at oneoff.Status.
	Status         oneoff.Status `json:"status"`
	Reason         string        `json:"reason,omitempty"`
	Diagnosis      []string      `json:"diagnosis,omitempty"`
	ARN            string        `json:"arn,omitempty"`
	TaskDefinition string        `json:"taskDefinition,omitempty"`
	Seconds        float64       `json:"seconds"`
}

// beforeRows are the one-off tasks of a service for machines.
func beforeRows(w *cli, all []oneoff.Outcome) []beforeRow {
	var rows []beforeRow
	for _, o := range all {
		row := beforeRow{Task: o.Service, Status: o.Status, Reason: o.Reason, ARN: o.Task, TaskDefinition: o.TaskDefinition, Seconds: round(o.Duration)}
		if o.Diagnosis != nil {
			row.Diagnosis = w.explanation(*o.Diagnosis)
		}
		rows = append(rows, row)
	}
	return rows
}
