package cmd

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"slipway/internal/phrase"
	"slipway/internal/plain"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/revisions"
	"slipway/rollout"
	"slipway/rollout/status"
)

func newRevisionsCommand(w *cli) *cobra.Command {
	var o siteOptions
	c := &cobra.Command{
		Use:   "revisions",
		Short: "List what can be rolled back to",
		Long: `Lists the revisions in the project's repositories, the newest first: how old each is, in
how many of the repositories it has an image, when the first of its images expires by
the repositories' lifecycle policies, and whether latest or deployed points to it.

A revision that is not in every repository, or of which an image is archived, cannot be
rolled back to. Nor can one of an untrusted build, which is marked so.`,
		Example: "  slipway revisions\n  slipway revisions --cluster shop --ecs-service shop --output json",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runRevisions(c.Context(), w, o) },
	}
	o.flags(c.Flags())
	return c
}

// listedRevision is one element of the array that `revisions --output json` prints.
type listedRevision struct {
	Revision string    `json:"revision"`
	Pushed   time.Time `json:"pushed"`
	Complete bool      `json:"complete"`
	// Missing and Archived are repositories.
	Missing  []string `json:"missing,omitempty"`
	Archived []string `json:"archived,omitempty"`
	// Expires is when the first of its images goes; null for never and for unknown.
	Expires *time.Time `json:"expires"`
	// Fate is stays, expires, archives or unknown.
	Fate     lifecycle.Disposition `json:"fate"`
	Latest   bool                  `json:"latest"`
	Deployed bool                  `json:"deployed"`
	// Untrusted reports that an untrusted build made it: it cannot be rolled back to.
	Untrusted bool          `json:"untrusted,omitempty"`
	Bytes     int64         `json:"bytes"`
	Images    []listedImage `json:"images"`
}

type listedImage struct {
	Repository string `json:"repository"`
	Digest     string `json:"digest"`
}

func runRevisions(ctx context.Context, w *cli, o siteOptions) error {
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
	listing, fates, err := status.ListImages(ctx, &w.Host, cloud, s.Repositories)
	if err != nil {
		return refused(err)
	}
	rows := []listedRevision{}
	for _, r := range listing.Revisions(s.IsExtraTag) {
		rows = append(rows, listed(r, s.Repositories, fates))
	}
	if o.output == "json" {
		return writeJSON(w.stdout, rows)
	}
	return printRevisions(w, rows, len(s.Repositories), listing.At)
}

func listed(r revisions.Revision, repos []registry.Repository, fates map[registry.Ref]lifecycle.Policy) listedRevision {
	row := listedRevision{Revision: r.Name, Pushed: r.Pushed, Complete: r.Complete(), Latest: r.Latest, Deployed: r.Deployed, Untrusted: r.Untrusted(), Bytes: r.Size, Images: []listedImage{}}
	at, fate := r.Expiry(fates)
	row.Fate = fate
	if !at.IsZero() {
		row.Expires = &at
	}
	for _, repo := range repos {
		if image, ok := r.Images[repo.Ref]; ok {
			row.Images = append(row.Images, listedImage{repo.URI.Name(), image.Digest})
		}
	}
	for _, repo := range r.Missing {
		row.Missing = append(row.Missing, repo.Name)
	}
	for _, repo := range r.Archived {
		row.Archived = append(row.Archived, repo.Name)
	}
	return row
}

func printRevisions(w *cli, rows []listedRevision, repos int, now time.Time) error {
	if len(rows) == 0 {
		w.Infof("no revision is in the repositories: slipway build makes one")
		return nil
	}
	t := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REVISION\tAGE\tCOMPLETE\tEXPIRES\tSIZE\tTAGS")
	for _, r := range rows {
		complete := fmt.Sprintf("%d of %d", len(r.Images), repos)
		if len(r.Missing) > 0 {
			complete += ", not in " + strings.Join(r.Missing, ", ")
		}
		if len(r.Archived) > 0 {
			complete += ", archived in " + strings.Join(r.Archived, ", ")
		}
		var tags []string
		if r.Latest {
			tags = append(tags, registry.TagLatest)
		}
		if r.Deployed {
			tags = append(tags, registry.TagDeployed)
		}
		if r.Untrusted {
			tags = append(tags, "(untrusted)")
		}
		plain.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Revision, phrase.Ago(now, r.Pushed), complete, status.ExpiryText(r.Fate, r.Expires, now), phrase.ByteCount(&r.Bytes), orDash(strings.Join(tags, ", ")))
	}
	return t.Flush()
}
