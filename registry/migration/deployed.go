// Package migration removes from repositories what earlier versions of Slipway
// left there and this one has replaced.
package migration

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/registry/tags"
)

// RemoveDeployed removes registry.TagDeployed from the repositories where
// registry.TagPrevious had taken its place when the snapshot was read: a tag that
// this job has put may be reverted. It stays where it is the image's only tag: the
// image would be deleted with it. It returns the repositories that it was removed
// from, also with an error; the same call goes on where an error stopped it.
//
// Calls for each repository: none without the tag; else one DescribeImages and
// one BatchDeleteImage.
func RemoveDeployed(ctx context.Context, clients registry.Clients, s *revisions.Snapshot, repos []registry.Repository) ([]registry.Repository, error) {
	repos = slices.DeleteFunc(registry.DistinctRepositories(repos), func(r registry.Repository) bool { return !replaced(s, r) })
	errs := make([]error, len(repos))
	var g errgroup.Group
	g.SetLimit(registry.MaxCalls)
	for i, r := range repos {
		g.Go(func() error {
			image, _ := s.ByTag(r.Ref, registry.TagDeployed)
			errs[i] = tags.Remove(ctx, clients(r.Region), r, registry.TagDeployed, image.Digest, true)
			return nil
		})
	}
	_ = g.Wait() // its goroutines keep their errors in errs
	var removed []registry.Repository
	for i, r := range repos {
		if errs[i] == nil {
			removed = append(removed, r)
		}
		if errors.Is(errs[i], tags.ErrOnlyTag) {
			errs[i] = nil
		}
	}
	return removed, errors.Join(errs...)
}

// replaced reports whether a repository has the earlier tag, and the one that
// replaces it.
func replaced(s *revisions.Snapshot, r registry.Repository) bool {
	_, deployed := s.ByTag(r.Ref, registry.TagDeployed)
	_, previous := s.ByTag(r.Ref, registry.TagPrevious)
	return deployed && previous
}
