package rollout

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/rollout/ecs"
	"slipway/rollout/oneoff"
	"slipway/rollout/surroundings"
	"slipway/rollout/task"
)

// Service is one ECS service and what of it is the project's.
type Service struct {
	project.ECSService
	// State is the description that ECS returned.
	State ecs.Service
	// Repositories are the repositories of the project's containers, as AWS described them.
	Repositories map[string]registry.Repository
	// lastGood is the last deployment that succeeded, read only while another one is
	// under way.
	lastGood ecs.ServiceDeployment
	// past are the deployments that succeeded, newest first; nil if they were not read.
	past []ecs.ServiceDeployment
	// registered is the newest task definition of a service that is to be created; zero if
	// there is none.
	registered ecs.Definition
}

// Services is where a project runs: its ECS services and their repositories.
type Services struct {
	*project.ECS
	List []*Service
	// Repositories are the repositories of all services, each once, in order of name.
	Repositories []registry.Repository
	// ImagesGiven reports that the images to deploy are given with their
	// repositories, which then have priority over those of the task
	// definitions.
	ImagesGiven bool
	// Wanted is the revision that is asked for, or the begin of its name; empty
	// for none.
	Wanted string
	// Settings are the task definitions whose settings are deployed with the images; a
	// service without one keeps its settings. Adopt takes over task definitions that
	// something else wrote.
	Settings map[ecs.Ref]task.Definition
	Adopt    bool
	// Before are the one-off tasks that run before a service is deployed, in their order.
	Before map[ecs.Ref][]task.Definition
	// oneOff are those that have run, and how they ended.
	oneOff map[ecs.Ref][]oneoff.Outcome
	// Create creates services that do not exist, with their Settings.
	Create bool
	// Derived are the task definitions that running ones are compared with.
	Derived map[ecs.Ref]task.Definition
	// Around are the surroundings of the settings; nil until they have been read.
	Around *surroundings.Surroundings
	// restore are the earlier task definitions to which services return.
	restore map[ecs.Ref]ecs.Settings
	// AllowMissing leaves out repositories that do not exist yet: the build creates them.
	AllowMissing bool
}

// NewServices returns a project's ECS services, not read yet.
func NewServices(p *project.ECS, given bool) *Services {
	s := &Services{ECS: p, ImagesGiven: given}
	for _, service := range p.Services {
		s.List = append(s.List, &Service{ECSService: *service})
	}
	return s
}

// Refs are the ECS services that are worked on.
func (s *Services) Refs() []ecs.Ref {
	var out []ecs.Ref
	for _, st := range s.List {
		out = append(out, st.Ref)
	}
	return out
}

// Read asks ECS for the services and ECR for their repositories, and the first time, while
// ECS answers, for what only AWS knows of the settings to deploy. Which repository a
// container has, its task definition says first: that is where the images that run came
// from, also for an operator without the build's environment.
func (s *Services) Read(ctx context.Context, w *project.Host, c *awsclient.Clients) error {
	services, err := s.readWithSurroundings(ctx, w, c)
	if err != nil {
		return err
	}
	warnUnread(w, services)
	if err := s.readLastGood(ctx, c, services); err != nil {
		return fault.As(fault.AWS, err)
	}
	s.Repositories = nil
	claims := make([]claim, len(s.List))
	for i, st := range s.List {
		st.State = services[i]
		if len(st.State.Containers) == 0 && st.State.New == nil {
			continue // an external controller has given it no task set yet
		}
		if claims[i], err = s.claim(w, st); err != nil {
			return err
		}
	}
	found, err := s.findClaimed(ctx, w, c, claims)
	if err != nil {
		return err
	}
	for i, st := range s.List {
		st.Repositories = map[string]registry.Repository{}
		for container, ref := range claims[i].repositories {
			repo, ok := found[ref]
			if !ok {
				continue
			}
			st.Repositories[container] = repo
			s.addRepository(repo)
		}
	}
	return nil
}

// warnUnread warns of services whose deployments the caller may not read. All
// else works without them.
func warnUnread(w *project.Host, services []ecs.Service) {
	for _, s := range services {
		if s.Unread != nil {
			w.WarnError(s.Unread, fmt.Sprintf("%s: its deployments are known from DescribeServices alone: %v", s.Ref, s.Unread))
		}
	}
}

// readLastGood reads the images from before the deployments under way, during
// which new and old tasks run at the same time.
func (s *Services) readLastGood(ctx context.Context, c *awsclient.Clients, services []ecs.Service) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(MaxCalls)
	for i, st := range s.List {
		st.lastGood = ecs.ServiceDeployment{}
		if services[i].UnderWay() == nil || services[i].Unread != nil {
			continue
		}
		g.Go(func() error {
			past, err := ecs.Successful(ctx, c.ECS(), st.Ref, 1)
			if err == nil && len(past) > 0 {
				st.lastGood = past[0]
			}
			return err
		})
	}
	return g.Wait()
}

// ReadServices reads ECS services. That one is not there is wrong input: nothing else was
// asked or touched.
func ReadServices(ctx context.Context, c *awsclient.Clients, refs []ecs.Ref) ([]ecs.Service, error) {
	services, err := ecs.Read(ctx, c.ECS(), refs)
	return services, fault.As(fault.AWS, err)
}

// Drivable refuses services that others deploy, and those that CodeDeploy could not.
func (s *Services) Drivable(ctx context.Context, c *awsclient.Clients) error {
	for _, st := range s.List {
		if _, err := ecs.Decide(st.State, nil, false); err != nil {
			return err
		}
		if err := ecs.Prepare(ctx, c.CodeDeploy(), st.State); err != nil {
			return fault.As(fault.AWS, err)
		}
	}
	return nil
}

// addRepository keeps the repositories in order of name, each once.
func (s *Services) addRepository(repo registry.Repository) {
	at, there := slices.BinarySearchFunc(s.Repositories, repo, func(a, b registry.Repository) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.URI.Name(), b.URI.Name()))
	})
	if !there {
		s.Repositories = slices.Insert(s.Repositories, at, repo)
	}
}

// IsExtraTag reports whether the compose file gives a tag in addition to the
// revision.
func (s *Services) IsExtraTag(ref registry.Ref, tag string) bool {
	return slices.Contains(s.ExtraTags[ref.Name], tag)
}

// ReadRepositories finds the repositories that the compose file names; where it names
// none, or some that are not there, ECS is asked what its task definitions name.
func (s *Services) ReadRepositories(ctx context.Context, host *project.Host, c *awsclient.Clients) error {
	if s.FromFlags || s.Only.Given() {
		return s.Read(ctx, host, c)
	}
	found, missing, err := registry.Find(ctx, c.Registries(), s.ECS.Repositories)
	switch {
	case err != nil:
		return fault.As(fault.AWS, err)
	case len(missing) == 0:
		for _, repo := range found {
			s.addRepository(repo)
		}
		return nil
	case len(s.List) > 0:
		return s.Read(ctx, host, c)
	default:
		return &registry.MissingError{Refs: missing}
	}
}

// RunningDigests are all digests that run, by repository.
func (s *Services) RunningDigests() map[registry.Ref][]string {
	out := map[registry.Ref][]string{}
	for _, st := range s.List {
		for _, c := range st.State.Containers {
			if repo, ok := st.Repositories[c.Name]; ok {
				out[repo.Ref] = append(out[repo.Ref], slices.Sorted(maps.Keys(c.Running))...)
			}
		}
	}
	return out
}

// Named returns the services if the flags named them, so that another command must
// name them, too.
func (s *Services) Named() []ecs.Ref {
	if !s.FromFlags {
		return nil
	}
	return s.Refs()
}
