package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/build/target"
	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/project/compose"
	"slipway/registry"
	"slipway/rollout/ecs"
)

// ECSOptions name ECS services.
type ECSOptions struct {
	Cluster  string
	Services []string
	// Containers and Repositories are the containers to work on, by name or by the
	// repository of their image; none for those of the compose file.
	Containers, Repositories []string
}

// Selection is the containers that flags name. The zero value names none.
type Selection struct {
	Containers   []string
	Repositories []registry.Ref
}

// Given reports whether the flags name any.
func (s Selection) Given() bool { return len(s.Containers)+len(s.Repositories) > 0 }

// Has reports whether the flags name a container, or the repository of its image.
func (s Selection) Has(container string, ref registry.Ref) bool {
	return slices.Contains(s.Containers, container) ||
		slices.ContainsFunc(s.Repositories, func(named registry.Ref) bool { return MayBeSame(named, ref) })
}

// selection reads the flags that name containers.
func (o ECSOptions) selection() (Selection, error) {
	out := Selection{Containers: o.Containers}
	for _, text := range o.Repositories {
		ref, err := registry.ParseRef(text)
		if err != nil {
			return out, fault.New(fault.Usage, err, "give the repository's name, URI or ARN")
		}
		out.Repositories = append(out.Repositories, ref)
	}
	return out, nil
}

// Refs are the services that the flags name, each once. cluster is for those that are
// named without one.
func (o ECSOptions) Refs(cluster string) []ecs.Ref {
	var out []ecs.Ref
	for _, name := range o.Services {
		if ref := plainRef(ecs.Ref{Cluster: cmp.Or(o.Cluster, cluster), Service: name}); !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	return out
}

// names reports whether the flags mean a service of the compose file: without
// --cluster, the service's name is enough.
func (o ECSOptions) names(ref ecs.Ref) bool {
	return slices.Contains(o.Refs(ref.Cluster), ref)
}

// ECSService is an ECS service and the project's containers in it.
type ECSService struct {
	Ref ecs.Ref
	// Containers are the project's, by name in the task definition, with the repository
	// that the project gives them; nil where there is no project and every container
	// with an image in ECR counts.
	Containers map[string]registry.Ref
}

// ECS says where a project runs on ECS, as its files and the flags name it.
type ECS struct {
	Services []*ECSService
	// ExtraTags are the tags of the compose file, which name no revision, by repository.
	ExtraTags map[string][]string
	// Repositories are the repositories that the compose file names.
	Repositories []registry.Ref
	// Configured are the ECS services that the compose file names.
	Configured []ecs.Ref
	// LatestByBuild reports that only builds move latest.
	LatestByBuild bool
	// OwnsTasks reports that the compose file owns the settings of the tasks.
	OwnsTasks bool
	// Only are the containers that the flags name.
	Only Selection
	// FromFlags reports that the flags named the services.
	FromFlags bool
	// Dir is the directory of the compose file.
	Dir string
	// Name is the project's name; empty without a compose file.
	Name string
	// Granted is the access that the project was granted on the terminal in
	// addition; that of the flags counts in any case.
	Granted allow.Set
}

// Check refuses a project without an ECS service.
func (s *ECS) Check() error {
	if len(s.Services) > 0 {
		return nil
	}
	return &Error{Problem: NoService, Project: s.Name, Err: fmt.Errorf("no ECS service is named, neither in %s nor by a flag", s.Dir)}
}

// AddProject adds the ECS services of a compose project.
func (s *ECS) AddProject(w *Host, project *types.Project, o ECSOptions) error {
	s.Dir, s.Name = project.WorkingDir, project.Name
	settings, err := compose.ReadSettings(project)
	if err != nil {
		return err
	}
	s.LatestByBuild, s.OwnsTasks = settings.Latest == compose.LatestByBuild, settings.Task != nil
	services, err := BuiltServices(project, w.LookupEnv)
	if err != nil {
		return err
	}
	s.ExtraTags = map[string][]string{}
	all := map[string]registry.Ref{}
	for _, built := range services {
		t, repo := built.Target, built.Ref
		if !slices.Contains(s.Repositories, repo) {
			s.Repositories = append(s.Repositories, repo)
		}
		for _, tag := range project.Services[t.Service].Build.Tags {
			s.ExtraTags[repo.Name] = append(s.ExtraTags[repo.Name], tag[strings.LastIndexByte(tag, ':')+1:])
		}
		s.addContainer(t, repo, settings, o, all)
	}
	sharers, err := sharersOf(project, services)
	if err != nil {
		return err
	}
	for _, shared := range sharers {
		s.addContainer(shared.target, shared.of.Ref, settings, o, all)
	}
	// A service that only the flags know may run any of the containers.
	for _, ref := range o.Refs(settings.ECS.Cluster) {
		if !slices.ContainsFunc(s.Services, func(st *ECSService) bool { return st.Ref.Service == ref.Service }) {
			s.Add(ref, all)
		}
	}
	return nil
}

// addContainer adds the container of a service to the ECS service that runs it, and to
// all containers.
func (s *ECS) addContainer(t target.Target, repo registry.Ref, settings compose.Settings, o ECSOptions, all map[string]registry.Ref) {
	if t.Settings.Undeployed || settings.RunsBefore(t.Service) {
		return
	}
	all[t.Container] = repo
	named := t.Settings.ECS
	if named == (compose.ECS{}) {
		named = settings.ECS
	}
	ref := plainRef(ecs.Ref{Cluster: named.Cluster, Service: named.Service})
	if named.Service != "" && !slices.Contains(s.Configured, ref) {
		s.Configured = append(s.Configured, ref)
	}
	if named.Service != "" && (!s.FromFlags || o.names(ref)) {
		s.Add(ref, map[string]registry.Ref{t.Container: repo})
	}
}

// Add lets the containers be run by a service.
func (s *ECS) Add(ref ecs.Ref, containers map[string]registry.Ref) {
	i := slices.IndexFunc(s.Services, func(st *ECSService) bool { return st.Ref == ref })
	if i < 0 {
		i = len(s.Services)
		s.Services = append(s.Services, &ECSService{Ref: ref})
	}
	if containers != nil && s.Services[i].Containers == nil {
		s.Services[i].Containers = map[string]registry.Ref{}
	}
	maps.Copy(s.Services[i].Containers, containers)
}

// ServiceRef returns the ECS service that a compose file names.
func ServiceRef(named compose.ECS) ecs.Ref { return plainRef(ecs.Ref(named)) }

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

// Refs returns the ECS services.
func (s *ECS) Refs() []ecs.Ref {
	var out []ecs.Ref
	for _, st := range s.Services {
		out = append(out, st.Ref)
	}
	return out
}

// ReadECS reads which ECS services the project has: --ecs-service, else x-slipway.ecs.
// Without a compose file the flags must name them, for an operator may stand anywhere.
func ReadECS(ctx context.Context, w *Host, o Options, given ECSOptions) (*ECS, error) {
	only, err := given.selection()
	if err != nil {
		return nil, err
	}
	p := &ECS{FromFlags: len(given.Services) > 0, Only: only}
	if _, err := o.granted(w); err != nil {
		return nil, err // not an error of a compose file, which could be left out
	}
	composed, err := Load(ctx, w, o, nil)
	switch {
	case err == nil:
		return p, p.AddProject(w, composed, given)
	case p.FromFlags && len(o.Files) == 0:
		if !errors.Is(err, compose.ErrNoProject) {
			w.Warnf("the compose file here is left out: %v", err)
		}
		for _, ref := range given.Refs("") {
			p.Add(ref, nil)
		}
		return p, nil
	case errors.Is(err, compose.ErrNoProject):
		return nil, &Error{Problem: NoFile, Err: err}
	default:
		return nil, err
	}
}
