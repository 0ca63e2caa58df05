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

	"slipway/internal/allow"
	"slipway/project/compose"
	"slipway/registry"
	"slipway/rollout/ecs"
)

// ECSOptions name ECS services.
type ECSOptions struct {
	Cluster  string
	Services []string
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
		if t.Settings.Undeployed || settings.RunsBefore(t.Service) {
			continue
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
	// A service that only the flags know may run any of the containers.
	for _, ref := range o.Refs(settings.ECS.Cluster) {
		if !slices.ContainsFunc(s.Services, func(st *ECSService) bool { return st.Ref.Service == ref.Service }) {
			s.Add(ref, all)
		}
	}
	return nil
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
	p := &ECS{FromFlags: len(given.Services) > 0}
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
