package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/earlier"
	"slipway/rollout/ecs"
)

// FindRollback is FindRevision for a rollback. A repository may lack the revision if its
// containers were added later: the services return to task definitions without them, and
// s is left without them. That takes the calls of FindRevision once more, and those of
// earlier.Find for each such service.
func FindRollback(ctx context.Context, host *project.Host, aws *awsclient.Clients, s *Services, text string) (*Target, error) {
	t, err := FindRevision(ctx, host, aws, s, text)
	var incomplete *revisions.IncompleteError
	if !errors.As(err, &incomplete) || len(incomplete.Have) == 0 {
		return t, err
	}
	before := s.without(func(_ *Service, _ string, repo registry.Repository) bool {
		return slices.ContainsFunc(incomplete.Missing, func(r registry.Repository) bool { return r.Ref == repo.Ref })
	})
	found, findErr := FindRevision(ctx, host, aws, before, text)
	if findErr != nil {
		return nil, err
	}
	return s.goBack(ctx, aws, before, found, err)
}

// findBeforeAdded finds the previous images where the latest earlier deployment lacks
// containers that were added since. cause is the error if there is none.
func (s *Services) findBeforeAdded(ctx context.Context, host *project.Host, aws *awsclient.Clients, cause error) (*Target, error) {
	before := s.without(func(st *Service, container string, _ registry.Repository) bool {
		i := slices.IndexFunc(st.past, func(p ecs.ServiceDeployment) bool {
			return slices.ContainsFunc(slices.Collect(maps.Keys(st.Repositories)), func(c string) bool { return p.Digests[c] == "" })
		})
		return i >= 0 && st.past[i].Digests[container] == ""
	})
	if len(before.Repositories) == len(s.Repositories) || len(before.Repositories) == 0 {
		return nil, cause
	}
	found, err := before.findPrevious(ctx, host, aws)
	if err != nil {
		return nil, cause
	}
	return s.goBack(ctx, aws, before, found, cause)
}

// without returns the services without some of their containers.
func (s *Services) without(drop func(*Service, string, registry.Repository) bool) *Services {
	out := *s
	out.List, out.Repositories = nil, nil
	for _, st := range s.List {
		one := *st
		one.Repositories = maps.Clone(st.Repositories)
		maps.DeleteFunc(one.Repositories, func(container string, repo registry.Repository) bool { return drop(st, container, repo) })
		out.List = append(out.List, &one)
		for _, repo := range one.Repositories {
			out.addRepository(repo)
		}
	}
	return &out
}

// goBack leaves s without the containers that before has not, if each service that loses
// some returns to a task definition without them. Otherwise it returns the cause.
func (s *Services) goBack(ctx context.Context, aws *awsclient.Clients, before *Services, t *Target, cause error) (*Target, error) {
	for i, st := range before.List {
		lost := maps.Clone(s.List[i].Repositories)
		maps.DeleteFunc(lost, func(container string, _ registry.Repository) bool { _, kept := st.Repositories[container]; return kept })
		if len(lost) == 0 {
			continue
		}
		definition, ok, err := earlier.Find(ctx, aws.ECS(), st.State, st.past, t.Desired[st.Ref])
		if err != nil {
			return nil, errors.Join(cause, fault.As(fault.AWS, err))
		}
		if !ok || slices.ContainsFunc(slices.Collect(maps.Keys(lost)), definition.Has) {
			return nil, cause
		}
	}
	*s = *before
	return t, nil
}
