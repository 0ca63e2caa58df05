package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"slipway/inspect"
)

func newDiffCommand(w *cli) *cobra.Command {
	var o siteOptions
	c := &cobra.Command{
		Use:   "diff REVISION REVISION",
		Short: "Compare two revisions",
		Long: `Compares the images of two revisions: for each service whether both have the same image,
and otherwise the inputs that changed between the two, such as files, base images and
build arguments. They come from the inputs that builds record with the images. For an
image without them they are unknown.

REVISION is a name that "slipway revisions --all" lists, or a unique prefix of one. The
exit code is 0 if all images are the same, and 1 if some differ.`,
		Example: "  slipway diff 1a2b3c4d5e6f 6f5e4d3c2b1a\n  slipway diff 1a2b 6f5e --output json",
		Args:    cobra.ExactArgs(2),
		RunE:    func(c *cobra.Command, args []string) error { return runDiff(c.Context(), w, o, args[0], args[1]) },
	}
	o.flags(c.Flags())
	addContainerFlags(c.Flags(), &o.ecs)
	return c
}

func runDiff(ctx context.Context, w *cli, o siteOptions, from, to string) error {
	source, cloud, err := openRevisions(ctx, w, o, false)
	if err != nil {
		return err
	}
	a, err := source.Find(from)
	if err != nil {
		return err
	}
	b, err := source.Find(to)
	if err != nil {
		return err
	}
	diff, err := inspect.Compare(ctx, &w.Host, cloud, source, a, b)
	if err != nil {
		return refused(err)
	}
	if o.output == "json" {
		err = writeJSON(w.stdout, diff)
	} else {
		err = diff.Print(w.stdout)
	}
	if err == nil && !diff.Equal {
		err = &reportedError{errors.New("the revisions differ")}
	}
	return err
}
