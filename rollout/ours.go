package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
)

// claim is the containers of an ECS service that are worked on, by name, with
// their repositories.
type claim struct {
	repositories map[string]registry.Ref
	// guessed reports that no file and no flag says whose the containers are:
	// their repositories decide.
	guessed bool
}

// claim finds the project's containers of a service. A container is the
// project's if the compose file names it or its repository, or a flag does.
func (s *Services) claim(w *project.Host, st *Service) (claim, error) {
	if s.Only.Given() {
		return s.claimNamed(st)
	}
	named := s.claimByName(st)
	if s.ImagesGiven {
		return claim{repositories: named}, nil
	}
	out := claim{repositories: maps.Clone(named)}
	ownRepository := s.claimByRepository(st, out.repositories)
	if _, absent := st.uncovered(named); len(absent) > 0 && len(out.repositories) > len(named) && slices.Contains(s.Configured, st.Ref) {
		// A container of the project has another name than the compose file says.
		return claim{}, st.checkClaim(nil, absent)
	}
	others, absent := st.uncovered(out.repositories)
	switch {
	case st.Containers == nil:
		return claim{st.inECR(), true}, st.checkClaim(st.inECR(), absent)
	case len(others) == 0 && len(out.repositories) > 0:
		return out, nil
	case s.FromFlags && !slices.Contains(s.Configured, st.Ref) && !ownRepository && len(st.inECR()) > 0:
		// The compose file may be another project's.
		w.Warnf("%s: the compose file in %s does not describe %s: taking the containers whose repositories have revisions", st.Ref, s.Dir, strings.Join(others, ", "))
		return claim{st.inECR(), true}, nil
	case len(out.repositories) > 0 && (len(absent) == 0 || s.FromFlags && ownRepository):
		s.leaveAlone(w, st, others, "it runs an image of a repository that is not the project's")
		return out, nil
	}
	return claim{}, st.checkClaim(nil, absent)
}

// leaveAlone says which containers stay as they are.
func (s *Services) leaveAlone(w *project.Host, st *Service, containers []string, why string) {
	for _, name := range containers {
		w.Infof("%s: container %s is left alone: %s", st.Ref, name, why)
	}
}

// claimNamed returns the containers that the flags name.
func (s *Services) claimNamed(st *Service) (claim, error) {
	out := claim{repositories: map[string]registry.Ref{}}
	for name, ref := range st.inECR() {
		if s.Only.Has(name, ref) {
			out.repositories[name] = ref
		}
	}
	if len(out.repositories) == 0 {
		return claim{}, refuse(NoContainer, "ECS service %s has no container that the flags name with an image in ECR: it has %s", st.Ref, st.described())
	}
	return out, nil
}

// claimByName returns the containers that the compose file names. Which
// repository such a container has, its task definition says first.
func (s *Services) claimByName(st *Service) map[string]registry.Ref {
	out := map[string]registry.Ref{}
	for _, c := range st.State.Containers {
		own, ours := st.Containers[c.Name]
		ref, inECR := project.RepositoryOfImage(c.Image)
		switch {
		case ours && (s.ImagesGiven || !inECR):
			if own != (registry.Ref{}) {
				out[c.Name] = own
			}
		case ours:
			out[c.Name] = ref
		}
	}
	for _, name := range s.Settings[st.Ref].Built {
		// The settings may add containers.
		if own := st.Containers[name]; own != (registry.Ref{}) && s.ImagesGiven {
			out[name] = own
		}
	}
	return out
}

// claimByRepository adds the containers that run images of the compose file's
// repositories, and reports whether any container does.
func (s *Services) claimByRepository(st *Service, to map[string]registry.Ref) (found bool) {
	for name, ref := range st.inECR() {
		if slices.ContainsFunc(s.ECS.Repositories, func(own registry.Ref) bool { return project.MayBeSame(own, ref) }) {
			to[name], found = ref, true
		}
	}
	return found
}

// inECR returns the containers with images in ECR, with their repositories.
func (st *Service) inECR() map[string]registry.Ref {
	out := map[string]registry.Ref{}
	for _, c := range st.State.Containers {
		if ref, ok := project.RepositoryOfImage(c.Image); ok {
			out[c.Name] = ref
		}
	}
	return out
}

// checkClaim refuses a service without a container of the project.
func (st *Service) checkClaim(claimed map[string]registry.Ref, absent []string) error {
	if len(claimed) > 0 {
		return nil
	}
	if st.Containers == nil {
		return refuse(NoContainer, "ECS service %s has no container with an image in ECR: it has %s", st.Ref, st.described())
	}
	return fault.NewInput("ECS service "+st.Ref.String(), fmt.Sprintf("its task definition has no container %s; it has %s", strings.Join(absent, ", "), st.described()),
		"let container_name or x-slipway.container name the container of the task definition")
}

// uncovered are the containers with images in ECR that are not among ours, and those of
// the project that the task definition has not.
func (st *Service) uncovered(ours map[string]registry.Ref) (others, absent []string) {
	for _, c := range st.State.Containers {
		if _, inECR := project.RepositoryOfImage(c.Image); inECR {
			if _, ok := ours[c.Name]; !ok {
				others = append(others, c.Name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(st.Containers)) {
		if !slices.ContainsFunc(st.State.Containers, func(c ecs.Container) bool { return c.Name == name }) {
			absent = append(absent, name)
		}
	}
	return others, absent
}

// findClaimed asks ECR for the repositories of the claims. Those of guessed
// containers that cannot be read are left out, and so are those without
// revisions where others have some.
func (s *Services) findClaimed(ctx context.Context, w *project.Host, c *awsclient.Clients, claims []claim) (map[registry.Ref]registry.Repository, error) {
	var sure, guessed []registry.Ref
	for _, claim := range claims {
		refs := slices.Collect(maps.Values(claim.repositories))
		if claim.guessed {
			guessed = append(guessed, refs...)
		} else {
			sure = append(sure, refs...)
		}
	}
	found, missing, err := registry.Find(ctx, c.Registries(), sure)
	if err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	if len(missing) > 0 && !s.AllowMissing {
		return nil, &registry.MissingError{Refs: missing}
	}
	if len(guessed) == 0 {
		return found, nil
	}
	readable, err := registry.FindReadable(ctx, c.Registries(), guessed)
	if err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	if len(readable) == 0 && len(found) == 0 {
		return nil, &registry.MissingError{Refs: guessed}
	}
	if readable, err = s.withRevisions(ctx, c, readable); err != nil {
		return nil, err
	}
	maps.Copy(found, readable)
	s.leaveOthers(w, claims, found)
	return found, nil
}

// leaveOthers says which guessed containers stay as they are.
func (s *Services) leaveOthers(w *project.Host, claims []claim, found map[registry.Ref]registry.Repository) {
	for i, claim := range claims {
		if !claim.guessed {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(claim.repositories)) {
			if ref := claim.repositories[name]; found[ref].Name == "" {
				s.leaveAlone(w, s.List[i], []string{name}, ref.Name+" has no revisions or cannot be read")
			}
		}
	}
}

// withRevisions leaves out the repositories without revisions: those in which
// nothing shows that Slipway works there, where that shows in another; else
// those without the revision that is asked for; else those without latest. One
// repository alone is not asked.
//
// Calls: one DescribeImages for each thousand images of a repository.
func (s *Services) withRevisions(ctx context.Context, c *awsclient.Clients, found map[registry.Ref]registry.Repository) (map[registry.Ref]registry.Repository, error) {
	repos := registry.DistinctRepositories(slices.Collect(maps.Values(found)))
	if len(repos) < 2 {
		return found, nil
	}
	listings := map[registry.Ref]*revisions.Listing{}
	for _, repo := range repos {
		listing, err := revisions.List(ctx, c.Registries(), []registry.Repository{repo})
		switch {
		case err == nil:
			listings[repo.Ref] = listing
		case !awsclient.Denied(err):
			return nil, fault.As(fault.AWS, err)
		}
	}
	for _, has := range []func(*revisions.Listing, registry.Ref) bool{
		(*revisions.Listing).HasRevisions,
		func(l *revisions.Listing, ref registry.Ref) bool { return l.HasName(ref, s.Wanted) },
		func(l *revisions.Listing, ref registry.Ref) bool { return l.HasName(ref, registry.TagLatest) },
		func(*revisions.Listing, registry.Ref) bool { return true },
	} {
		out := maps.Clone(found)
		maps.DeleteFunc(out, func(_ registry.Ref, repo registry.Repository) bool {
			listing := listings[repo.Ref]
			return listing == nil || !has(listing, repo.Ref)
		})
		if len(out) > 0 {
			return out, nil
		}
	}
	return found, nil
}
