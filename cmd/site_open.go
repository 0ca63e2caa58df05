package cmd

import (
	"context"

	"slipway/internal/awsclient"
	"slipway/project"
	"slipway/rollout"
	"slipway/rollout/ecs"
)

// findECS is readECS for commands that need an ECS service.
func findECS(ctx context.Context, w *cli, o siteOptions) (*project.ECS, error) {
	p, err := readECS(ctx, w, o)
	if err != nil {
		return nil, err
	}
	return p, p.Check()
}

// openSite finds the site, logs in to AWS and looks at what is there. read, if not nil, is
// for input that must be good before AWS is asked.
func openSite(ctx context.Context, w *cli, o siteOptions, read func(*rollout.Services) error) (*rollout.Services, *awsclient.Clients, error) {
	p, err := findECS(ctx, w, o)
	if err != nil {
		return nil, nil, err
	}
	s := rollout.NewServices(p, false)
	if read != nil {
		if err := read(s); err != nil {
			return nil, nil, err
		}
	}
	c, err := openAWS(ctx, w, o.aws)
	if err != nil {
		return nil, nil, err
	}
	return s, c, s.Read(ctx, &w.Host, c)
}

// readECS reads which ECS services the project has.
func readECS(ctx context.Context, w *cli, o siteOptions) (*project.ECS, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return project.ReadECS(ctx, &w.Host, o.project.Options, o.ecs)
}

// openServices reads the ECS services that a command changes as a whole, once it may.
func openServices(ctx context.Context, w *cli, o siteOptions) (*rollout.Services, *awsclient.Clients, []ecs.Service, error) {
	p, err := findECS(ctx, w, o)
	if err != nil {
		return nil, nil, nil, err
	}
	s := rollout.NewServices(p, false)
	cloud, err := openAWS(ctx, w, o.aws)
	if err != nil {
		return nil, nil, nil, err
	}
	services, err := rollout.ReadServices(ctx, cloud, s.Refs())
	if err != nil {
		return nil, nil, nil, err
	}
	return s, cloud, services, s.PermitServices(ctx, &w.Host, o.project.Options, services, true)
}
