// Package retention reads the lifecycle policies of repositories, and works out
// what they should be and which images of others they would let expire.
package retention

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sync/errgroup"

	"slipway/build/target"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/revisions"
)

// Options say which lifecycle policies are written.
type Options struct {
	Days    int
	Replace bool
}

// State is the lifecycle policy of one repository, as it is and as it will be.
type State struct {
	registry.RetentionResult
	// Clash is why the policy is left alone, if rules of others are in the way.
	Clash error
	// Losses are the images for which the policy is written only when a person has seen
	// them: `slipway retention --apply`.
	Losses []revisions.ImageDetail
}

// Read reads the lifecycle policies of repositories, in their order, and
// computes what they should be. Conflicting rules of others are not an error:
// the images are safe without our rules, and only kept longer or shorter.
func Read(ctx context.Context, clients registry.Clients, repos []registry.Repository, o Options) ([]State, error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(MaxCalls)
	out := make([]State, len(repos))
	for i, repo := range repos {
		g.Go(func() (err error) {
			out[i].RetentionResult, err = registry.ReadRetention(ctx, clients(repo.Region), repo, o.Days, o.Replace)
			var clash *lifecycle.ConflictError
			if errors.As(err, &clash) {
				out[i].Clash, err = err, nil
			}
			return err
		})
	}
	return out, g.Wait()
}

// Unmanaged are the repositories whose policy would change and is not Slipway's yet.
func Unmanaged(policies []State) []registry.Repository {
	var out []registry.Repository
	for _, p := range policies {
		if p.Clash == nil && p.Outcome.Changed && !p.Managed {
			out = append(out, p.Repository)
		}
	}
	return out
}

// FindLosses finds the losses of the policies. The listing is of the unmanaged repositories;
// protected are those whose running image is known to have a protecting tag.
func FindLosses(ctx context.Context, clients registry.Clients, listing *revisions.Listing, policies []State, protected map[registry.Ref]bool) error {
	var results []registry.RetentionResult
	for _, p := range policies {
		if p.Clash == nil {
			results = append(results, p.RetentionResult)
		}
	}
	lost, err := listing.Losses(ctx, clients, results, revisions.Origin{Annotation: target.InputsAnnotation, Protected: protected})
	for i := range policies {
		policies[i].Losses = lost[policies[i].Repository.Ref]
	}
	return err
}

// Known are the repositories of which ECS has said what it runs.
func Known(running map[registry.Ref]string) map[registry.Ref]bool {
	out := map[registry.Ref]bool{}
	for ref, digest := range running {
		out[ref] = digest != ""
	}
	return out
}

// ShownLosses is how many images are named of those that would expire.
const ShownLosses = 3

// Newest names the newest of the images, which come newest first.
func Newest(images []revisions.ImageDetail) string {
	var names []string
	for _, i := range images[:min(len(images), ShownLosses)] {
		name := phrase.ShortDigest(i.Digest)
		if len(i.Tags) > 0 {
			name = TagsText(i.Tags)
		}
		names = append(names, name)
	}
	if len(names) == 1 {
		return names[0]
	}
	return "the newest: " + strings.Join(names, ", ")
}

// MaxCalls is how many policies are read or written at once.
const MaxCalls = 8

// LogDropped names the rules of others that --replace-policy gave up.
func LogDropped(w *project.Host, repo registry.Repository, o lifecycle.Outcome) {
	for _, rule := range o.Dropped {
		w.Warnf("%s: no longer in the lifecycle policy: %s", repo.Name, rule)
	}
}
