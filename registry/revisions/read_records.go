package revisions

import (
	"context"

	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/manifests"
	"slipway/registry/record"
)

// ReadRecords returns the records of revisions by name, of one repository each.
// A record that cannot be read is left out. Calls: one BatchGetImage for each
// hundred records of a repository.
func ReadRecords(ctx context.Context, clients registry.Clients, list []Revision) (map[string]record.Record, error) {
	var repos []registry.Repository
	names := map[registry.Ref][]string{}
	for _, r := range list {
		if len(r.Recorded) == 0 {
			continue
		}
		repo := r.Recorded[0]
		if names[repo.Ref] == nil {
			repos = append(repos, repo)
		}
		names[repo.Ref] = append(names[repo.Ref], r.Name)
	}
	answers := make([]manifests.Answer, len(repos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(registry.MaxCalls)
	for i, repo := range repos {
		g.Go(func() (err error) {
			answers[i], err = manifests.Get(ctx, clients(repo.Region), repo, manifests.IDs(recordsOf(names[repo.Ref])))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := map[string]record.Record{}
	s := newSnapshot(nil, repos)
	for i, repo := range repos {
		s.add(repo.Ref, answers[i].Images)
		for _, name := range names[repo.Ref] {
			if r, _, ok := s.Record(repo.Ref, name); ok {
				out[name] = r
			}
		}
	}
	return out, nil
}
