package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"
	"github.com/spf13/pflag"

	"slipway/build"
	"slipway/registry"
	"slipway/rollout"
)

// ecsOptions are the flags that name ECS services.
type ecsOptions struct {
	cluster  string
	services []string
}

func (o *ecsOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.cluster, "cluster", "", "ECS `cluster` of --ecs-service (default: x-slipway.ecs, else the cluster called default)")
	f.StringSliceVar(&o.services, "ecs-service", nil, "ECS `service` to work on, repeated for several (default: x-slipway.ecs)")
}

// check refuses a cluster without a service.
func (o ecsOptions) check() error {
	if o.cluster != "" && len(o.services) == 0 {
		return &usageError{errors.New("--cluster is given without --ecs-service"), "name the service too: --cluster CLUSTER --ecs-service SERVICE"}
	}
	return nil
}

// names tells whether the flags mean this service.
func (o ecsOptions) names(ref rollout.Ref) bool {
	return slices.Contains(o.services, ref.Service) && (o.cluster == "" || o.cluster == ref.Cluster)
}

// station is one ECS service and what of it is the project's.
type station struct {
	ref rollout.Ref
	// containers are the project's, by name in the task definition, with the repository
	// that the project gives them; nil where there is no project and every container
	// with an image in ECR counts.
	containers map[string]registry.Ref
	// service is what ECS says of it.
	service rollout.Service
	// repos are the repositories of the project's containers, as AWS described them.
	repos map[string]registry.Repository
}

// site is where a project runs: its ECS services and their repositories.
type site struct {
	// project is the compose project's name; empty without one.
	project  string
	stations []*station
	// repos are the repositories of all stations, each once, in order of name.
	repos []registry.Repository
	// extra are the tags of the compose file, which name no revision, by repository.
	extra map[string][]string
	// own are the repositories that the compose file names.
	own []registry.Ref
	// given tells that the images to deploy are given with their repositories, which
	// then go before those of the task definitions.
	given bool
	// flagged tells that the flags named the services.
	flagged bool
	// home is the directory of the compose file.
	home string
}

// findSite reads which ECS services the project has: --ecs-service, else x-slipway.ecs.
// Without a compose file the flags must name them, for an operator may stand anywhere.
func findSite(ctx context.Context, w *world, p projectOptions, o ecsOptions) (*site, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &site{flagged: len(o.services) > 0}
	project, err := build.Load(ctx, p.load(w))
	if errors.Is(err, build.ErrNoProject) && s.flagged && len(p.files) == 0 {
		for _, name := range o.services {
			s.add(rollout.Ref{Cluster: o.cluster, Service: name}, nil)
		}
		return s, nil
	}
	if errors.Is(err, build.ErrNoProject) {
		return nil, &usageError{err, "run slipway in the project's directory, or name the ECS service: --cluster CLUSTER --ecs-service SERVICE"}
	}
	if err != nil {
		return nil, err
	}
	if err := s.addProject(w, project, o); err != nil {
		return nil, err
	}
	return s, s.check()
}

// check refuses a site without an ECS service.
func (s *site) check() error {
	if len(s.stations) > 0 {
		return nil
	}
	return &usageError{fmt.Errorf("no ECS service is named, neither in %s nor by a flag", s.home), "give --cluster CLUSTER --ecs-service SERVICE, or write x-slipway: {ecs: {cluster: CLUSTER, service: SERVICE}} into the compose file"}
}

// addProject adds the ECS services of a compose project.
func (s *site) addProject(w *world, project *types.Project, o ecsOptions) error {
	s.project, s.home = project.Name, project.WorkingDir
	settings, err := build.ProjectSettings(project)
	if err != nil {
		return err
	}
	targets, err := build.Others(project, nil)
	if err != nil {
		return err
	}
	s.extra = map[string][]string{}
	all := map[string]registry.Ref{}
	for _, t := range targets {
		repo, err := repositoryOf(t, project.Name, w.lookupenv)
		if err != nil {
			return err
		}
		all[t.Container] = repo
		s.own = append(s.own, repo)
		for _, tag := range project.Services[t.Service].Build.Tags {
			s.extra[repo.Name] = append(s.extra[repo.Name], tag[strings.LastIndexByte(tag, ':')+1:])
		}
		ecs := t.Settings.ECS
		if ecs == (build.ECS{}) {
			ecs = settings.ECS
		}
		ref := rollout.Ref{Cluster: ecs.Cluster, Service: ecs.Service}
		if ecs.Service != "" && (!s.flagged || o.names(ref)) {
			s.add(ref, map[string]registry.Ref{t.Container: repo})
		}
	}
	// A service that only the flags know may run any of the containers.
	for _, name := range o.services {
		if !slices.ContainsFunc(s.stations, func(st *station) bool { return st.ref.Service == name }) {
			s.add(rollout.Ref{Cluster: o.cluster, Service: name}, all)
		}
	}
	return nil
}

// add lets the containers be run by a service.
func (s *site) add(ref rollout.Ref, containers map[string]registry.Ref) {
	i := slices.IndexFunc(s.stations, func(st *station) bool { return st.ref == ref })
	if i < 0 {
		i = len(s.stations)
		s.stations = append(s.stations, &station{ref: ref})
	}
	if containers != nil && s.stations[i].containers == nil {
		s.stations[i].containers = map[string]registry.Ref{}
	}
	maps.Copy(s.stations[i].containers, containers)
}

func (s *site) refs() []rollout.Ref {
	var out []rollout.Ref
	for _, st := range s.stations {
		out = append(out, st.ref)
	}
	return out
}

// look asks ECS for the services and ECR for their repositories. Which repository a
// container has, its task definition says first: that is where the images that run came
// from, also for an operator without the build's environment.
func (s *site) look(ctx context.Context, w *world, c *cloud) error {
	services, err := rollout.Read(ctx, c.ecs(), s.refs())
	if err != nil {
		return refused(err)
	}
	s.repos = nil
	var refs []registry.Ref
	asked := make([]map[string]registry.Ref, len(s.stations))
	for i, st := range s.stations {
		st.service = services[i]
		if len(st.service.Containers) == 0 {
			continue // an external controller has given it no task set yet
		}
		if asked[i], err = s.repositories(w, st); err != nil {
			return err
		}
		refs = append(refs, slices.Collect(maps.Values(asked[i]))...)
	}
	found, missing, err := registry.Find(ctx, c.clients(), refs)
	if err != nil {
		return refused(err)
	}
	if len(missing) > 0 {
		return &registry.MissingError{Refs: missing}
	}
	for i, st := range s.stations {
		st.repos = map[string]registry.Repository{}
		for container, ref := range asked[i] {
			st.repos[container] = found[ref]
			s.addRepository(found[ref])
		}
	}
	return nil
}

// drivable refuses services that others deploy.
func (s *site) drivable() error {
	for _, st := range s.stations {
		if _, err := rollout.Decide(st.service, nil, false); err != nil {
			return &usageError{err, hintOf(err)}
		}
	}
	return nil
}

// addRepository keeps the repositories in order of name, each once.
func (s *site) addRepository(repo registry.Repository) {
	at, there := slices.BinarySearchFunc(s.repos, repo, func(a, b registry.Repository) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.URI.Name(), b.URI.Name()))
	})
	if !there {
		s.repos = slices.Insert(s.repos, at, repo)
	}
}

// repositories are those of a station's containers.
func (s *site) repositories(w *world, st *station) (map[string]registry.Ref, error) {
	out := map[string]registry.Ref{}
	take := func(all bool) {
		for _, c := range st.service.Containers {
			own, ours := st.containers[c.Name]
			ref, inECR := repositoryOfReference(c.Image)
			switch {
			case ours && (s.given || !inECR):
				if own != (registry.Ref{}) {
					out[c.Name] = own
				}
			case inECR && (ours || all):
				out[c.Name] = ref
			}
		}
	}
	take(st.containers == nil)
	if len(out) > 0 || s.given {
		return out, nil
	}
	if s.flagged && st.containers != nil {
		w.log.Warn().Msgf("the compose file in %s describes no container of %s: taking those whose images are in ECR", s.home, st.ref)
		take(true)
	}
	if len(out) > 0 {
		return out, nil
	}
	var have []string
	for _, c := range st.service.Containers {
		have = append(have, c.Name+" ("+c.Image+")")
	}
	return nil, inputError("ECS service "+st.ref.String(), "runs none of the project's containers; its task definition has "+strings.Join(have, ", "),
		"let container_name or x-slipway.container name the container of the task definition")
}

// repositoryOfReference is the ECR repository of an image reference, if it lies in one.
func repositoryOfReference(image string) (registry.Ref, bool) {
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil || reference.Domain(parsed) == "docker.io" {
		return registry.Ref{}, false
	}
	ref, err := registry.ParseRef(parsed.Name())
	return ref, err == nil
}

// running are the digests that ECS runs by repository: that of most tasks, or what the
// service's revision resolved to where no task runs.
func (s *site) running() map[registry.Ref]string {
	counts := map[registry.Ref]map[string]int{}
	for _, st := range s.stations {
		for _, c := range st.service.Containers {
			repo, ok := st.repos[c.Name]
			if !ok {
				continue
			}
			if counts[repo.Ref] == nil {
				counts[repo.Ref] = map[string]int{}
			}
			for digest, n := range c.Running {
				counts[repo.Ref][digest] += 1 + n
			}
			if len(c.Running) == 0 && c.Resolved != "" {
				counts[repo.Ref][c.Resolved]++
			}
		}
	}
	out := map[registry.Ref]string{}
	for ref, digests := range counts {
		// Equal counts, as half way through a deployment, must not depend on the map's order.
		for _, digest := range slices.Sorted(maps.Keys(digests)) {
			if digests[digest] > digests[out[ref]] {
				out[ref] = digest
			}
		}
	}
	return out
}
