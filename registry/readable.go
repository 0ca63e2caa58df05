package registry

import (
	"context"
	"errors"
	"maps"

	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
)

// FindReadable is Find for repositories that may be others': those that do not
// exist, or that the caller may not describe, are left out. The error is that of
// a refused call where nothing could be read at all, and any other failure.
//
// Calls: one DescribeRepositories for each account and region; where that is
// refused, one for each repository.
func FindReadable(ctx context.Context, clients Clients, refs []Ref) (map[Ref]Repository, error) {
	groups := byRegistry(refs)
	answers, refusals := make([]map[Ref]Repository, len(groups)), make([]error, len(groups))
	g, ctx := errgroup.WithContext(ctx)
	for i, group := range groups {
		g.Go(func() (err error) {
			answers[i], refusals[i], err = describeReadable(ctx, clients(group[0].Region), group)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	found := map[Ref]Repository{}
	for _, a := range answers {
		maps.Copy(found, a)
	}
	if len(found) == 0 {
		return nil, errors.Join(refusals...)
	}
	return found, nil
}

// describeReadable is describe without the repositories that ECR refuses to
// describe. refused is the last of the refusals.
func describeReadable(ctx context.Context, client describer, refs []Ref) (found map[Ref]Repository, refused, err error) {
	found, err = describe(ctx, client, refs)
	switch {
	case !awsclient.Denied(err):
		return found, nil, err
	case len(refs) == 1:
		return nil, err, nil
	}
	found = map[Ref]Repository{}
	for i := range refs {
		one, no, err := describeReadable(ctx, client, refs[i:i+1])
		if err != nil {
			return nil, nil, err
		}
		if no != nil {
			refused = no
		}
		maps.Copy(found, one)
	}
	return found, refused, nil
}
