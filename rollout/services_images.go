package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/rollout/ecs"
)

// repositories are those of a service's containers.
func (s *Services) repositories(w *project.Host, st *Service) (map[string]registry.Ref, error) {
	out := map[string]registry.Ref{}
	take := func(all bool) {
		for _, c := range st.State.Containers {
			own, ours := st.Containers[c.Name]
			ref, inECR := project.RepositoryOfImage(c.Image)
			switch {
			case ours && (s.ImagesGiven || !inECR):
				if own != (registry.Ref{}) {
					out[c.Name] = own
				}
			case inECR && (ours || all):
				out[c.Name] = ref
			}
		}
	}
	take(st.Containers == nil)
	others, absent := st.uncovered(out)
	switch {
	case s.ImagesGiven || st.Containers == nil && len(out) > 0:
		return out, nil
	case len(others) == 0 && len(out) > 0:
		return out, nil
	case s.FromFlags && !slices.Contains(s.Configured, st.Ref):
		// The compose file may be another project's.
		w.Warnf("%s: the compose file in %s does not describe %s: taking all containers whose images are in ECR", st.Ref, s.Dir, strings.Join(others, ", "))
		if take(true); len(out) > 0 {
			return out, nil
		}
	case len(absent) == 0 && len(out) > 0:
		w.Warnf("%s: the compose file does not build %s: it stays as it is", st.Ref, strings.Join(others, ", "))
		return out, nil
	}
	return nil, fault.NewInput("ECS service "+st.Ref.String(), fmt.Sprintf("its task definition has no container %s; it has %s", strings.Join(absent, ", "), st.described()),
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

// described are a task definition's containers for people.
func (st *Service) described() string {
	var out []string
	for _, c := range st.State.Containers {
		out = append(out, c.Name+" ("+c.Image+")")
	}
	return strings.Join(out, ", ")
}

// maxTasks is more than a service has (5,000, "Amazon ECS service quotas").
const maxTasks = 1 << 20

// Running are the digests that ECS runs by repository: that of most tasks, or what the
// service's revision resolved to where no task runs.
func (s *Services) Running() map[registry.Ref]string {
	counts := map[registry.Ref]map[string]int{}
	for _, st := range s.List {
		for _, c := range st.State.Containers {
			repo, ok := st.Repositories[c.Name]
			if !ok {
				continue
			}
			if counts[repo.Ref] == nil {
				counts[repo.Ref] = map[string]int{}
			}
			for digest, n := range c.Running {
				counts[repo.Ref][digest] += 1 + n
				if digest == st.lastGood[c.Name] {
					// Of two that run side by side, the one that is known to be good.
					counts[repo.Ref][digest] += maxTasks
				}
			}
			if st.State.Settling(c) {
				counts[repo.Ref][c.Resolved] += maxTasks
			}
			if len(c.Running) == 0 && c.Resolved != "" {
				counts[repo.Ref][c.Resolved]++
			}
		}
	}
	out := map[registry.Ref]string{}
	for ref, digests := range counts {
		// Equal counts, as halfway through a deployment, must not depend on the
		// order of the map.
		for _, digest := range slices.Sorted(maps.Keys(digests)) {
			if digests[digest] > digests[out[ref]] {
				out[ref] = digest
			}
		}
	}
	return out
}
