package cmd

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/project/compose"
	"slipway/registry"
	"slipway/rollout/ecs"
)

// addECSFlags adds the flags that name ECS services.
func addECSFlags(f *pflag.FlagSet, o *project.ECSOptions) {
	f.StringVar(&o.Cluster, "cluster", "", "ECS `cluster` of --ecs-service (default: x-slipway.ecs, else the cluster called default)")
	f.StringSliceVar(&o.Services, "ecs-service", nil, "ECS `service` to work on, repeated for several (default: x-slipway.ecs)")
}

// checkECS refuses a cluster without a service, and names that ECS does not take.
func checkECS(o project.ECSOptions) error {
	if err := checkECSNames(o); err != nil {
		return err
	}
	if o.Cluster != "" && len(o.Services) == 0 {
		return fault.New(fault.Usage, errors.New("--cluster is given without --ecs-service"), "name the service too: --cluster CLUSTER --ecs-service SERVICE")
	}
	return nil
}

// station is one ECS service and what of it is the project's.
type station struct {
	project.ECSService
	// Component is what ECS says of it.
	service ecs.Service
	// repos are the repositories of the project's containers, as AWS described them.
	repos map[string]registry.Repository
	// proven are the digests of the last deployment that succeeded, by container, read
	// only while another one is under way.
	proven map[string]string
}

// site is where a project runs: its ECS services and their repositories.
type site struct {
	*project.ECS
	stations []*station
	// repos are the repositories of all stations, each once, in order of name.
	repos []registry.Repository
	// given tells that the images to deploy are given with their repositories, which
	// then go before those of the task definitions.
	given bool
	// mayCreate leaves out repositories that do not exist yet: the build creates them.
	mayCreate bool
}

// newSite returns the site of a project's ECS services, not read yet.
func newSite(p *project.ECS, given bool) *site {
	s := &site{ECS: p, given: given}
	for _, service := range p.Services {
		s.stations = append(s.stations, &station{ECSService: *service})
	}
	return s
}

// findECS is readECS for commands that need an ECS service.
func findECS(ctx context.Context, w *cli, o siteOptions) (*project.ECS, error) {
	p, err := readECS(ctx, w, o)
	if err != nil {
		return nil, err
	}
	return p, p.Check()
}

// readECS reads which ECS services the project has: --ecs-service, else x-slipway.ecs.
// Without a compose file the flags must name them, for an operator may stand anywhere.
func readECS(ctx context.Context, w *cli, o siteOptions) (*project.ECS, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &project.ECS{FromFlags: len(o.ecs.Services) > 0}
	composed, err := project.Load(ctx, &w.Host, o.project.Options, nil)
	switch {
	case err == nil:
		return p, p.AddProject(&w.Host, composed, o.ecs)
	case p.FromFlags && len(o.project.Files) == 0:
		if !errors.Is(err, compose.ErrNoProject) {
			w.Warnf("the compose file here is left out: %v", err)
		}
		for _, ref := range o.ecs.Refs("") {
			p.Add(ref, nil)
		}
		return p, nil
	case errors.Is(err, compose.ErrNoProject):
		return nil, fault.New(fault.Usage, err, "run slipway in the project's directory, or name the ECS service: --cluster CLUSTER --ecs-service SERVICE")
	default:
		return nil, err
	}
}

// openSite finds the site, logs in to AWS and looks at what is there. read, if not nil, is
// for input that must be good before AWS is asked.
func openSite(ctx context.Context, w *cli, o siteOptions, read func(*site) error) (*site, *awsclient.Clients, error) {
	p, err := findECS(ctx, w, o)
	if err != nil {
		return nil, nil, err
	}
	s := newSite(p, false)
	if read != nil {
		if err := read(s); err != nil {
			return nil, nil, err
		}
	}
	c, err := openAWS(ctx, w, o.aws)
	if err != nil {
		return nil, nil, err
	}
	return s, c, s.look(ctx, w, c)
}

// refs are the ECS services of the stations.
func (s *site) refs() []ecs.Ref {
	var out []ecs.Ref
	for _, st := range s.stations {
		out = append(out, st.Ref)
	}
	return out
}

// look asks ECS for the services and ECR for their repositories. Which repository a
// container has, its task definition says first: that is where the images that run came
// from, also for an operator without the build's environment.
func (s *site) look(ctx context.Context, w *cli, c *awsclient.Clients) error {
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
	found, missing, err := registry.Find(ctx, c.Registries(), refs)
	if err != nil {
		return refused(err)
	}
	if len(missing) > 0 && !s.mayCreate {
		return &registry.MissingError{Refs: missing}
	}
	for i, st := range s.stations {
		st.repos = map[string]registry.Repository{}
		for container, ref := range asked[i] {
			repo, ok := found[ref]
			if !ok {
				continue
			}
			st.repos[container] = repo
			s.addRepository(repo)
		}
	}
	return nil
}

// lookBack finds out what ran before the deployments under way, whose tasks and the old
// ones run side by side.
func (s *site) lookBack(ctx context.Context, c *awsclient.Clients, services []ecs.Service) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxDeploys)
	for i, st := range s.stations {
		st.proven = nil
		if services[i].UnderWay() == nil {
			continue
		}
		g.Go(func() error {
			past, err := ecs.Successful(ctx, c.ECS(), st.Ref, 1)
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
func readServices(ctx context.Context, c *awsclient.Clients, refs []ecs.Ref) ([]ecs.Service, error) {
	services, err := ecs.Read(ctx, c.ECS(), refs)
	return services, refused(err)
}

// drivable refuses services that others deploy, and those that CodeDeploy could not.
func (s *site) drivable(ctx context.Context, c *awsclient.Clients) error {
	for _, st := range s.stations {
		if _, err := ecs.Decide(st.service, nil, false); err != nil {
			return err
		}
		if err := ecs.Prepare(ctx, c.CodeDeploy(), st.service); err != nil {
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
