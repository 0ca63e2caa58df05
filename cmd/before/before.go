// Package before has the flag for one-off tasks, and renders those that have run.
package before

import (
	"fmt"
	"math"

	"github.com/spf13/pflag"

	"slipway/internal/fault"
	"slipway/rollout"
	"slipway/rollout/diagnose"
	"slipway/rollout/oneoff"
)

// AddFlag adds the flag of the commands that run one-off tasks.
func AddFlag(f *pflag.FlagSet, o *rollout.Options) {
	f.DurationVar(&o.BeforeTimeout, "before-timeout", oneoff.DefaultTimeout, "how long a one-off task may take before it is stopped")
}

// Check refuses a time limit that is not positive.
func Check(o rollout.Options) error {
	if o.BeforeTimeout <= 0 {
		return fault.New(fault.Usage, fmt.Errorf("--before-timeout: want a positive duration, have %s", o.BeforeTimeout), "leave the flag out for 15m")
	}
	return nil
}

// Row is a one-off task in the JSON of a rollout.
type Row struct {
	Task string `json:"task"`
	// Status is described at oneoff.Status.
	Status oneoff.Status `json:"status"`
	Reason string        `json:"reason,omitempty"`
	// Diagnosis is the cause of a failure, line by line.
	Diagnosis      []string `json:"diagnosis,omitempty"`
	ARN            string   `json:"arn,omitempty"`
	TaskDefinition string   `json:"taskDefinition,omitempty"`
	Seconds        float64  `json:"seconds"`
}

// Rows returns the rows of tasks. explain returns the lines of a diagnosis.
func Rows(all []oneoff.Outcome, explain func(diagnose.Diagnosis) []string) []Row {
	var rows []Row
	for _, o := range all {
		row := Row{
			Task: o.Service, Status: o.Status, Reason: o.Reason, ARN: o.Task, TaskDefinition: o.TaskDefinition,
			Seconds: math.Round(o.Duration.Seconds()*1000) / 1000,
		}
		if o.Diagnosis != nil {
			row.Diagnosis = explain(*o.Diagnosis)
		}
		rows = append(rows, row)
	}
	return rows
}
