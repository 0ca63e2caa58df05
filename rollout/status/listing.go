package status

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/revisions"
)

// ListImages reads all images of the repositories, and their policies. If a
// policy may not be read, it is not known when images expire; the rest is
// returned.
func ListImages(ctx context.Context, w *project.Host, c *awsclient.Clients, repos []registry.Repository) (listing *revisions.Listing, fates map[registry.Ref]lifecycle.Policy, err error) {
	var unread error
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		listing, err = revisions.List(ctx, c.Registries(), repos)
		return err
	})
	g.Go(func() error {
		fates, unread = registry.ReadPolicies(ctx, c.Registries(), repos)
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	if unread != nil {
		w.Warnf("when images expire is not known: %v", unread)
		fates = map[registry.Ref]lifecycle.Policy{}
		for _, repo := range repos {
			fates[repo.Ref] = lifecycle.Parse(unreadPolicy)
		}
	}
	return listing, fates, nil
}

// ExpiryText says when an image goes, for people.
func ExpiryText(fate lifecycle.Disposition, at *time.Time, now time.Time) string {
	switch {
	case fate == lifecycle.Stays:
		return "never"
	case at == nil:
		return "unknown"
	case !at.After(now):
		return "any moment"
	case fate == lifecycle.Archives:
		return "archived in " + phrase.Ago(*at, now)
	case fate == lifecycle.Unknown:
		return "in " + phrase.Ago(*at, now) + " or before"
	default:
		return "in " + phrase.Ago(*at, now)
	}
}

// unreadPolicy stands for a policy that could not be read, from which nothing
// follows.
const unreadPolicy = "?"
