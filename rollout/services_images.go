package rollout

import (
	"maps"
	"slices"
	"strings"

	"slipway/registry"
	"slipway/registry/revisions"
)

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
		st.count(counts)
	}
	return mostOf(counts)
}

// Live are the digests that each ECS service runs.
func (s *Services) Live() revisions.Live {
	out := revisions.Live{}
	for _, st := range s.List {
		counts := map[registry.Ref]map[string]int{}
		st.count(counts)
		for ref, digest := range mostOf(counts) {
			out.Set(ref, registry.LiveTag(st.Ref.Cluster, st.Ref.Service), digest)
		}
	}
	return out
}

// count adds the running digests of a service.
func (st *Service) count(counts map[registry.Ref]map[string]int) {
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
			if digest == st.lastGood.Digests[c.Name] {
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

// mostOf returns the digest of the highest count in each repository.
func mostOf(counts map[registry.Ref]map[string]int) map[registry.Ref]string {
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
