package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"slipway/cmd/hint"
	"slipway/rollout/status"
)

func newStatusCommand(w *cli) *cobra.Command {
	var o siteOptions
	c := &cobra.Command{
		Use:   "status",
		Short: "Report the images that the ECS services run, and whether the tags agree",
		Long: `Reports for each of the project's ECS services the desired and running task counts, the
revision that each container runs, whether a deployment is in progress or waits at a
lifecycle hook, and why the last deployment failed.

Slipway warns, on stderr and in the JSON, if latest does not point to the running image,
if a container runs several images, or if the running image has expired or will expire.
Each warning has the command to type.`,
		Example: "  slipway status\n  slipway status --cluster shop --ecs-service shop --output json",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runStatus(c.Context(), w, o) },
	}
	o.flags(c.Flags())
	addContainerFlags(c.Flags(), &o.ecs)
	return c
}

func runStatus(ctx context.Context, w *cli, o siteOptions) error {
	s, aws, err := openSite(ctx, w, o, nil)
	if err != nil {
		return err
	}
	report, err := status.Read(ctx, &w.Host, aws, s, status.Texts{Diagnosis: w.screen().Diagnosis, Hint: hint.Of, Continue: hint.ContinueCommand, Abort: hint.AbortCommand})
	if err != nil {
		return err
	}
	for _, warning := range report.Warnings {
		w.Warnf("%s", warning)
	}
	if o.output == "json" {
		return writeJSON(w.stdout, report)
	}
	return printStatus(w, report)
}

func printStatus(w *cli, report status.Report) error {
	var b strings.Builder
	for n, s := range report.Services {
		if n > 0 {
			b.WriteString("\n")
		}
		printService(&b, s, report.At)
	}
	_, err := fmt.Fprint(w.stdout, b.String())
	return err
}
