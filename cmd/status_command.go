package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"slipway/cmd/hint"
	"slipway/cmd/statuslist"
	"slipway/rollout"
	"slipway/rollout/schedules"
	"slipway/rollout/status"
)

func newStatusCommand(w *cli) *cobra.Command {
	var o statusOptions
	c := &cobra.Command{
		Use:   "status",
		Short: "Report the images that the ECS services run, and whether the tags agree",
		Long: `Reports for each of the project's ECS services the desired and running task counts, the
revision that each container runs, whether a deployment is in progress or waits at a
lifecycle hook, and why the last deployment failed.

Slipway warns, on stderr and in the JSON, if latest does not point to the running image,
if a container runs several images, or if the running image has expired or will expire.
With x-slipway.task in the compose file, it warns of services that run other settings.
Each warning has the command to type.

With --schedules it also prints the rules of EventBridge and the schedules of EventBridge
Scheduler whose tasks run images of the project, and warns of those whose image has
expired or will expire.`,
		Example: "  slipway status\n  slipway status --schedules\n  slipway status --cluster shop --ecs-service shop --output json",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runStatus(c.Context(), w, o) },
	}
	o.flags(c.Flags())
	addContainerFlags(c.Flags(), &o.ecs)
	c.Flags().BoolVar(&o.schedules, "schedules", false, "report scheduled tasks that run images of the project, too")
	return c
}

// statusOptions are the flags of `slipway status`.
type statusOptions struct {
	siteOptions
	schedules bool
}

// statusResult is the JSON document of `slipway status`.
type statusResult struct {
	status.Report
	// Schedules is left out without --schedules.
	Schedules []schedules.Use `json:"schedules,omitzero"`
}

func runStatus(ctx context.Context, w *cli, o statusOptions) error {
	s, aws, err := openSite(ctx, w, o.siteOptions, func(s *rollout.Services) error { return s.Derive(ctx, &w.Host, o.project.Options) })
	if err != nil {
		return err
	}
	report, err := status.Read(ctx, &w.Host, aws, s, status.Texts{Diagnosis: w.screen().Diagnosis, Hint: hint.Of, Continue: hint.ContinueCommand, Abort: hint.AbortCommand})
	if err != nil {
		return err
	}
	result := statusResult{Report: report}
	var scheduled schedules.Report
	if o.schedules {
		if scheduled, err = schedules.OfServices(ctx, &w.Host, aws, s); err != nil {
			return err
		}
		result.Schedules = scheduled.Uses
		result.Warnings = append(result.Warnings, scheduled.Warnings()...)
	}
	for _, warning := range result.Warnings {
		w.Warnf("%s", warning)
	}
	if o.output == "json" {
		return writeJSON(w.stdout, result)
	}
	return printStatus(w, report, o.schedules, scheduled)
}

func printStatus(w *cli, report status.Report, withSchedules bool, scheduled schedules.Report) error {
	var b strings.Builder
	for n, s := range report.Services {
		if n > 0 {
			b.WriteString("\n")
		}
		statuslist.Service(&b, s, report.At)
	}
	if withSchedules {
		statuslist.Schedules(&b, scheduled)
	}
	_, err := fmt.Fprint(w.stdout, b.String())
	return err
}
