package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"slipway/inspect"
	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/rollout"
	"slipway/rollout/history"
)

func newRevisionsCommand(w *cli) *cobra.Command {
	var o siteOptions
	var all bool
	c := &cobra.Command{
		Use:   "revisions [REVISION]",
		Short: "List what can be rolled back to, or print one revision",
		Long: `Lists the complete revisions in the project's repositories, the newest first: how old each
is, in how many of the repositories it has an image, when the first of its images expires
by the repositories' lifecycle policies, which of latest and the protecting tags of ECS
services point to it, and the commit and the builder. With --all, those that are not in
every repository are listed, too.

A revision that is not in every repository, or of which an image is archived, cannot be
rolled back to. Nor can one of an untrusted build, which is marked so. A revision that an
older version of slipway made has no commit and no builder.

With REVISION, a name in that list or a unique prefix of one, slipway prints that revision
with all that is known of it: commit, builder, source and engine, and for each service the
image with its platforms, base images, ECR's scan and signatures, and when it expires.
What the caller may not read is unknown, with a warning.`,
		Example: `  slipway revisions
  slipway revisions 1a2b3c4d5e6f
  slipway revisions --cluster shop --ecs-service shop --output json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return listRevisions(c.Context(), w, o, all)
			case all:
				return fault.New(fault.Usage, errors.New("--all and a revision exclude each other"), "omit one of them")
			default:
				return showRevision(c.Context(), w, o, args[0])
			}
		},
	}
	o.flags(c.Flags())
	addContainerFlags(c.Flags(), &o.ecs)
	c.Flags().BoolVar(&all, "all", false, "list the revisions that are not complete, too")
	return c
}

// openRevisions reads the repositories of the project, and if asked, their policies.
func openRevisions(ctx context.Context, w *cli, o siteOptions, policies bool) (*history.Source, *awsclient.Clients, error) {
	// A compose file without ECS services says enough here.
	p, err := readECS(ctx, w, o)
	if err != nil {
		return nil, nil, err
	}
	s := rollout.NewServices(p, false)
	cloud, err := openAWS(ctx, w, o.aws)
	if err != nil {
		return nil, nil, err
	}
	if err := s.ReadRepositories(ctx, &w.Host, cloud); err != nil {
		return nil, nil, err
	}
	source, err := history.Open(ctx, &w.Host, cloud, s, policies)
	return source, cloud, refused(err)
}

func listRevisions(ctx context.Context, w *cli, o siteOptions, all bool) error {
	source, _, err := openRevisions(ctx, w, o, true)
	if err != nil {
		return err
	}
	list, err := source.List(ctx, all)
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

func showRevision(ctx context.Context, w *cli, o siteOptions, text string) error {
	source, cloud, err := openRevisions(ctx, w, o, true)
	if err != nil {
		return err
	}
	found, err := source.Find(text)
	if err != nil {
		return err
	}
	revision, err := inspect.Read(ctx, &w.Host, cloud, source, found)
	if err != nil {
		return refused(err)
	}
	if o.output == "json" {
		return writeJSON(w.stdout, revision)
	}
	return revision.Print(w.stdout)
}
