// Package doctor checks whether a build would be able to run: the project, AWS, the
// repositories, permissions, the engine, base images and ECS services, all at once.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/build"
	"slipway/internal/awsclient"
	"slipway/project"
	"slipway/retention"
	"slipway/rollout/secret/stored"
)

// Options say what is checked.
type Options struct {
	// Build and Project are build's options as the user gives them.
	Build   build.Options
	Project project.Options
	// Resolve completes the options of build by a plan. On an error, the options are
	// complete as far as they can be.
	Resolve func(p *project.Plan, given build.Options, rollout bool) (build.Options, error)
	// Rollout checks that the images can be deployed, too.
	Rollout bool
	AWS     awsclient.Options
	// AWSError is the error in the options for AWS, if there is one.
	AWSError error
	// Limit is how long one step of a check may take.
	Limit time.Duration
	// Hint returns the hint of an error.
	Hint func(error) string
}

// Run runs all checks and returns their findings in order. It returns no finding
// if it was interrupted.
func Run(ctx context.Context, host *project.Host, o Options) (findings []Finding, err error) {
	d := newDoctor(ctx, host, o)
	defer func() { err = errors.Join(err, d.close(ctx)) }()
	findings = d.examine(ctx, d.checks())
	if ctx.Err() != nil {
		return nil, fmt.Errorf("interrupted while checking: %w", ctx.Err())
	}
	return findings, nil
}

// doctor is one run of `slipway doctor`. What several checks want to know is asked once,
// by whichever comes first.
type doctor struct {
	*project.Host
	options Options
	// build are build's options as the plan resolves them.
	build build.Options
	// plan is nil where the project cannot be read, and planErr says why; hashErr is why
	// the plan has another hash than build would give it.
	plan             *project.Plan
	planErr, hashErr error
	// settingsErr is the error in flags and settings that are not part of the
	// plan.
	settingsErr error

	cloud        func() (*awsclient.Clients, error)
	access       func() (access, error)
	repositories func() (foundRepositories, error)
	policies     func() ([]retention.State, error)
	engine       func() (*foundEngine, error)
	secretStates func() ([]stored.State, error)
	services     func() ([]readService, error)
	tasks        func() (foundTasks, error)
}

func newDoctor(ctx context.Context, host *project.Host, o Options) *doctor {
	d := &doctor{Host: host, options: o}
	d.readPlan(ctx)
	d.cloud = asked(ctx, o.Limit, d.configure)
	d.access = asked(ctx, o.Limit, d.enter)
	d.repositories = asked(ctx, o.Limit, d.findRepositories)
	d.policies = asked(ctx, o.Limit, d.readPolicies)
	d.engine = asked(ctx, o.Limit+d.dockerTime(), d.startEngine)
	d.secretStates = asked(ctx, o.Limit, d.readSecrets)
	d.services = asked(ctx, o.Limit, d.readServices)
	d.tasks = asked(ctx, 2*o.Limit, d.findTasks)
	return d
}

// checks returns all checks, in the order of their findings.
func (d *doctor) checks() []check {
	access := func() { _, _ = d.access() }
	policies := func() { _, _ = d.policies() }
	engine := func() { _, _ = d.engine() }
	all := []check{
		{name: "compose file", run: d.checkProject},
		{name: "hash", run: d.checkHash},
		{name: "settings", run: d.checkSettings},
		{name: "trust", run: d.checkTrust},
		{name: "region", run: d.checkRegion},
		{name: "credentials", needs: needsCloud, first: access, run: d.checkCredentials},
		{name: "clock", needs: needsCloud, first: access, run: d.checkClock},
		{name: "registry login", needs: needsAccess, run: d.checkLogin},
		{name: "repository", needs: needsProject | needsAccess, first: func() { _, _ = d.repositories() }, run: d.checkRepositories},
		{name: "tags", needs: needsRepositories, run: d.checkTags},
		{name: "retention", needs: needsRepositories, first: policies, run: d.checkRetention},
		{name: "revision", needs: needsRepositories, run: d.checkRevision},
		{name: "permissions", needs: needsProject | needsAccess, first: policies, run: d.checkPermissions},
		{name: "engine", first: engine, run: d.checkEngine},
		{name: "runc", first: engine, run: d.checkRunc},
		{name: "engine network", first: engine, run: d.checkNetwork},
		{name: "platforms", needs: needsProject | needsEngine, run: d.checkPlatforms},
		{name: "disk", first: engine, run: d.checkDisk},
		{name: "base image", needs: needsProject, first: func() { engine(); access() }, run: d.checkBases},
	}
	if d.build.Artifact != "" {
		all = append(all, check{name: "artifact", needs: needsProject | needsAccess, run: d.checkArtifact})
	}
	if d.plan != nil && !d.build.NoLatest {
		all = append(all, check{name: "scheduled task", needs: needsRepositories, run: d.checkSchedules})
	}
	if d.plan != nil && len(d.plan.Secrets) > 0 {
		all = append(all, check{name: "secret", needs: needsProject | needsAccess, run: d.checkSecrets})
	}
	if d.plan != nil && len(d.plan.ECS.Services) > 0 && !d.build.NoLatest {
		all = append(all, check{name: "ECS service", needs: needsProject | needsAccess, run: d.checkECS})
	}
	if d.plan != nil && !d.build.NoLatest && len(d.plan.TaskFiles)+len(d.plan.ECS.Services) > 0 {
		all = append(all, d.taskChecks()...)
	}
	return all
}

// taskChecks returns the checks of what tasks need to start.
func (d *doctor) taskChecks() []check {
	const needs = needsProject | needsAccess
	tasks := func() { _, _ = d.tasks() }
	return []check{
		{name: "stack", needs: needs, first: tasks, run: d.checkStacks},
		{name: "role", needs: needs, first: tasks, run: d.checkRoles},
		{name: "log group", needs: needs, first: tasks, run: d.checkLogGroups},
		{name: "target group", needs: needs, first: tasks, run: d.checkTargetGroups},
		{name: "architecture", needs: needs, first: func() { tasks(); _, _ = d.engine() }, run: d.checkArchitecture},
	}
}
