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
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"slipway/build/solve"
	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/project/compose"
	"slipway/registry"
	"slipway/rollout/ecs"
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

// check refuses a cluster without a service, and names that ECS does not take.
func (o ecsOptions) check() error {
	if err := o.checkNames(); err != nil {
		return err
	}
	if o.cluster != "" && len(o.services) == 0 {
		return fault.New(fault.Usage, errors.New("--cluster is given without --ecs-service"), "name the service too: --cluster CLUSTER --ecs-service SERVICE")
	}
	return nil
}

// refs are the services that the flags name, each once. cluster is for those that are
// named without one.
func (o ecsOptions) refs(cluster string) []ecs.Ref {
	var out []ecs.Ref
	for _, name := range o.services {
		if ref := plainRef(ecs.Ref{Cluster: cmp.Or(o.cluster, cluster), Service: name}); !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	return out
}

// names tells whether the flags mean a service of the compose file: without --cluster, the
// service's name is enough.
func (o ecsOptions) names(ref ecs.Ref) bool {
	return slices.Contains(o.refs(ref.Cluster), ref)
}

// station is one ECS service and what of it is the project's.
type station struct {
	ref ecs.Ref
	// containers are the project's, by name in the task definition, with the repository
	// that the project gives them; nil where there is no project and every container
	// with an image in ECR counts.
	containers map[string]registry.Ref
	// service is what ECS says of it.
	service ecs.Service
	// repos are the repositories of the project's containers, as AWS described them.
	repos map[string]registry.Repository
	// proven are the digests of the last deployment that succeeded, by container, read
	// only while another one is under way.
	proven map[string]string
}

// site is where a project runs: its ECS services and their repositories.
type site struct {
	stations []*station
	// repos are the repositories of all stations, each once, in order of name.
	repos []registry.Repository
	// extra are the tags of the compose file, which name no revision, by repository.
	extra map[string][]string
	// own are the repositories that the compose file names.
	own []registry.Ref
	// configured are the ECS services that the compose file names.
	configured []ecs.Ref
	// given tells that the images to deploy are given with their repositories, which
	// then go before those of the task definitions.
	given bool
	// flagged tells that the flags named the services.
	flagged bool
	// home is the directory of the compose file.
	home string
	// project is the project's name; empty without a compose file.
	project string
	// granted is what the project was allowed on the terminal as well, where it was
	// asked there; the flags' grants count in any case.
	granted allow.Set
}

// findSite is readSite for commands that need an ECS service.
func findSite(ctx context.Context, w *world, o siteOptions) (*site, error) {
	s, err := readSite(ctx, w, o)
	if err != nil {
		return nil, err
	}
	return s, s.check()
}

// readSite reads which ECS services the project has: --ecs-service, else x-slipway.ecs.
// Without a compose file the flags must name them, for an operator may stand anywhere.
func readSite(ctx context.Context, w *world, o siteOptions) (*site, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &site{flagged: len(o.ecs.services) > 0}
	project, err := loadAllowed(ctx, w, o.project, nil)
	switch {
	case err == nil:
		return s, s.addProject(w, project, o.ecs)
	case s.flagged && len(o.project.files) == 0:
		if !errors.Is(err, compose.ErrNoProject) {
			w.log.Warn().Msgf("the compose file here is left out: %v", err)
		}
		for _, ref := range o.ecs.refs("") {
			s.add(ref, nil)
		}
		return s, nil
	case errors.Is(err, compose.ErrNoProject):
		return nil, fault.New(fault.Usage, err, "run slipway in the project's directory, or name the ECS service: --cluster CLUSTER --ecs-service SERVICE")
	default:
		return nil, err
	}
}

// openSite finds the site, logs in to AWS and looks at what is there. read, if not nil, is
// for input that must be good before AWS is asked.
func openSite(ctx context.Context, w *world, o siteOptions, read func(*site) error) (*site, *cloud, error) {
	s, err := findSite(ctx, w, o)
	if err == nil && read != nil {
		err = read(s)
	}
	if err != nil {
		return nil, nil, err
	}
	c, err := openCloud(ctx, w.log, o.aws)
	if err != nil {
		return nil, nil, err
	}
	return s, c, s.look(ctx, w, c)
}

// check refuses a site without an ECS service.
func (s *site) check() error {
	if len(s.stations) > 0 {
		return nil
	}
	return fault.New(fault.Usage, fmt.Errorf("no ECS service is named, neither in %s nor by a flag", s.home), "give --cluster CLUSTER --ecs-service SERVICE, or write x-slipway: {ecs: {cluster: CLUSTER, service: SERVICE}} into the compose file")
}

// addProject adds the ECS services of a compose project.
func (s *site) addProject(w *world, project *types.Project, o ecsOptions) error {
	s.home, s.project = project.WorkingDir, project.Name
	settings, err := compose.ReadSettings(project)
	if err != nil {
		return err
	}
	targets, err := solve.Unselected(project, nil)
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
		named := t.Settings.ECS
		if named == (compose.ECS{}) {
			named = settings.ECS
		}
		ref := plainRef(ecs.Ref{Cluster: named.Cluster, Service: named.Service})
		if named.Service != "" && !slices.Contains(s.configured, ref) {
			s.configured = append(s.configured, ref)
		}
		if named.Service != "" && (!s.flagged || o.names(ref)) {
			s.add(ref, map[string]registry.Ref{t.Container: repo})
		}
	}
	// A service that only the flags know may run any of the containers.
	for _, ref := range o.refs(settings.ECS.Cluster) {
		if !slices.ContainsFunc(s.stations, func(st *station) bool { return st.ref.Service == ref.Service }) {
			s.add(ref, all)
		}
	}
	return nil
}

// add lets the containers be run by a service.
func (s *site) add(ref ecs.Ref, containers map[string]registry.Ref) {
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

// plainRef names a service by plain names where it was named by ARNs, so that each is
// there once: arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/SERVICE, or without the cluster in
// the old format.
func plainRef(ref ecs.Ref) ecs.Ref {
	if _, resource, ok := strings.Cut(ref.Service, ":service/"); ok && strings.HasPrefix(ref.Service, "arn:") {
		if cluster, service, ok := strings.Cut(resource, "/"); ok {
			ref.Cluster, resource = cluster, service
		}
		ref.Service = resource
	}
	if _, name, ok := strings.Cut(ref.Cluster, ":cluster/"); ok && strings.HasPrefix(ref.Cluster, "arn:") {
		ref.Cluster = name
	}
	if ref.Cluster == "default" {
		ref.Cluster = ""
	}
	return ref
}

// flags are the flags that name the services, where they were given: for commands that
// are told to be typed next.
func (s *site) flags() string {
	if !s.flagged {
		return ""
	}
	return flagsOf(s.refs()...)
}

// flagsOf are the flags that name services of one cluster.
func flagsOf(refs ...ecs.Ref) string {
	var out strings.Builder
	if cluster := refs[0].Cluster; cluster != "" {
		out.WriteString(" --cluster " + cluster)
	}
	for _, ref := range refs {
		out.WriteString(" --ecs-service " + ref.Service)
	}
	return out.String()
}

func (s *site) refs() []ecs.Ref {
	var out []ecs.Ref
	for _, st := range s.stations {
		out = append(out, st.ref)
	}
	return out
}

// look asks ECS for the services and ECR for their repositories. Which repository a
// container has, its task definition says first: that is where the images that run came
// from, also for an operator without the build's environment.
func (s *site) look(ctx context.Context, w *world, c *cloud) error {
	services, err := readServices(ctx, c, s.refs())
	if err != nil {
		return err
	}
	if err := s.lookBack(ctx, c, services); err != nil {
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

// lookBack finds out what ran before the deployments under way, whose tasks and the old
// ones run side by side.
func (s *site) lookBack(ctx context.Context, c *cloud, services []ecs.Service) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxDeploys)
	for i, st := range s.stations {
		st.proven = nil
		if services[i].UnderWay() == nil {
			continue
		}
		g.Go(func() error {
			past, err := ecs.Successful(ctx, c.ecs(), st.ref, 1)
			if err == nil && len(past) > 0 {
				st.proven = past[0].Digests
			}
			return err
		})
	}
	return g.Wait()
}

// readServices reads ECS services. That one is not there is wrong input: nothing else was
// asked or touched.
func readServices(ctx context.Context, c *cloud, refs []ecs.Ref) ([]ecs.Service, error) {
	services, err := ecs.Read(ctx, c.ecs(), refs)
	var missing *ecs.MissingError
	if errors.As(err, &missing) {
		return nil, fault.New(fault.Usage, fmt.Errorf("%w (looked for in %s)", err, c.config.Region), missing.Hint())
	}
	return services, refused(err)
}

// drivable refuses services that others deploy, and those that CodeDeploy could not.
func (s *site) drivable(ctx context.Context, c *cloud) error {
	for _, st := range s.stations {
		if _, err := ecs.Decide(st.service, nil, false); err != nil {
			return fault.New(fault.Usage, err, fault.HintOf(err))
		}
		if err := ecs.Prepare(ctx, c.codeDeploy(), st.service); err != nil {
			return refused(err)
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
