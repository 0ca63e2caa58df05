package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"slipway/internal/phrase"
	"slipway/rollout"
	"slipway/rollout/history"
)

func newRevisionsCommand(w *cli) *cobra.Command {
	var o siteOptions
	var all bool
	c := &cobra.Command{
		Use:   "revisions",
		Short: "List what can be rolled back to",
		Long: `Lists the complete revisions in the project's repositories, the newest first: how old each
is, in how many of the repositories it has an image, when the first of its images expires
by the repositories' lifecycle policies, which of latest and the protecting tags of ECS
services point to it, and the commit and the builder. With --all, those that are not in
every repository are listed, too.

A revision that is not in every repository, or of which an image is archived, cannot be
rolled back to. Nor can one of an untrusted build, which is marked so. A revision that an
older version of slipway made has no commit and no builder.`,
		Example: "  slipway revisions\n  slipway revisions --cluster shop --ecs-service shop --output json",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runRevisions(c.Context(), w, o, all) },
	}
	o.flags(c.Flags())
	addContainerFlags(c.Flags(), &o.ecs)
	c.Flags().BoolVar(&all, "all", false, "list the revisions that are not complete, too")
	return c
}

func runRevisions(ctx context.Context, w *cli, o siteOptions, all bool) error {
	// A compose file without ECS services says enough here.
	p, err := readECS(ctx, w, o)
	if err != nil {
		return err
	}
	s := rollout.NewServices(p, false)
	cloud, err := openAWS(ctx, w, o.aws)
	if err != nil {
		return err
	}
	if err := s.ReadRepositories(ctx, &w.Host, cloud); err != nil {
		return err
	}
	list, err := history.Read(ctx, &w.Host, cloud, s, all)
	if err != nil {
		return refused(err)
	}
	if list.Incomplete > 0 {
		w.Infof("%s left out that are not in every repository: --all lists them, too", phrase.Count(list.Incomplete, "revision"))
	}
	switch {
	case o.output == "json":
		return writeJSON(w.stdout, list.Revisions)
	case len(list.Revisions) == 0:
		w.Infof("no revision is in the repositories: slipway build makes one")
		return nil
	}
	return list.Print(w.stdout)
}
