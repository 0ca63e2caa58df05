package cmd

import (
	"context"
	"errors"
	"slices"
	"strings"

	"slipway/build"
	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout"
	"slipway/rollout/ecs"
)

// runningImages asks ECS which digests it runs, so that deployed protects those. Where it
// cannot be asked, the build goes on: what latest points to is then taken for what runs.
func runningImages(ctx context.Context, host *project.Host, aws *awsclient.Clients, p *project.Plan, components []*build.Component) map[registry.Ref]string {
	if len(p.ECS.Services) == 0 {
		return nil
	}
	out, err := rollout.RunningImages(ctx, aws, p.ECS, func(service *project.ECSService, container string) (registry.Ref, bool) {
		if c := componentOf(components, service, container); c != nil {
			return c.Repository.Ref, true
		}
		return registry.Ref{}, false
	})
	var missing *ecs.MissingError
	switch {
	case errors.As(err, &missing):
		host.Infof("%s: deployed will mark the images that latest points to", strings.ReplaceAll(err.Error(), "\n", "; "))
	case err != nil && ctx.Err() == nil:
		host.Warnf("the running images cannot be read, so deployed will mark the images that latest points to: %v", err)
	}
	return out
}

// componentOf is the component whose image a container of an ECS service runs, or nil.
// Containers of two ECS services may be called alike.
func componentOf(components []*build.Component, service *project.ECSService, container string) *build.Component {
	i := slices.IndexFunc(components, func(c *build.Component) bool {
		return c.Target.Container == container && c.Ref == service.Containers[container]
	})
	if i < 0 {
		return nil
	}
	return components[i]
}

// buildRollout deploys the images of a build.
type buildRollout struct {
	w    *cli
	o    buildOptions
	aws  *awsclient.Clients
	plan *project.Plan
	site *rollout.Services
}

// check finds out before anything is built whether the images could be deployed.
func (b *buildRollout) check(ctx context.Context) error {
	b.site = rollout.NewServices(b.plan.ECS, true)
	b.site.AllowMissing = b.o.Create
	if err := b.site.Read(ctx, &b.w.Host, b.aws); err != nil {
		return err
	}
	if err := b.site.Drivable(ctx, b.aws); err != nil {
		return err
	}
	var planned []*build.Component
	for _, c := range b.plan.Components {
		planned = append(planned, &build.Component{Component: c})
	}
	d := b.deployJob(planned, func(c *build.Component) ecs.DesiredImage { return ecs.DesiredImage{Image: c.Ref.Name} })
	if _, err := d.Decide(); err != nil {
		return err
	}
	return b.site.PermitServices(ctx, &b.w.Host, b.o.project.Options, b.site.States(), false)
}

// deployJob is the deployment of the components' images.
func (b *buildRollout) deployJob(components []*build.Component, want func(*build.Component) ecs.DesiredImage) *rollout.Rollout {
	d := &rollout.Rollout{Host: &b.w.Host, Hooks: rolloutHooksOf(b.w), Options: b.o.deploy, Clients: b.aws.Registries(), AWS: b.aws, Services: b.site, Exact: true}
	d.Desired = map[ecs.Ref]map[string]ecs.DesiredImage{}
	for _, st := range d.Services.List {
		d.Desired[st.Ref] = map[string]ecs.DesiredImage{}
		for container := range st.Containers {
			if c := componentOf(components, &st.ECSService, container); c != nil {
				d.Desired[st.Ref][container] = want(c)
			}
		}
	}
	return d
}

// run deploys what was published, with the images as the definitions name them.
func (b *buildRollout) run(ctx context.Context, r *build.Release, rows []builtService) (err error) {
	published := r.Published
	d := b.deployJob(r.Components, func(c *build.Component) ecs.DesiredImage {
		image, _ := published.Snapshot.ByDigest(c.Repository.Ref, c.Digest)
		return ecs.DesiredImage{Image: c.ImageURI(published.Name, b.o.ImageRef), Digests: revisions.Platforms(image)}
	})
	d.Name = published.Name
	defer func() { err = errors.Join(err, b.print(d.Results(), rows)) }()
	if published.SupersededBy != "" {
		return fault.New(fault.AWS, errors.New("nothing was deployed: another job has moved latest to "+published.SupersededBy), "let one job at a time publish; `slipway status` shows the running images")
	}
	d.Revert = func(ctx context.Context, a revisions.RolloutResult) error { return d.RevertAfter(ctx, published, a) }
	// Building took its time: what was found before it may be old.
	b.site.AllowMissing = false
	if err := d.Services.Read(ctx, &b.w.Host, b.aws); err != nil {
		return errors.Join(err, d.RevertTags(ctx, revisions.RolloutResult{}))
	}
	return d.Run(ctx)
}

// delivered is what build --rollout --output json prints.
type delivered struct {
	Services []builtService `json:"services"`
	Rollouts []rolloutRow   `json:"rollouts"`
}

// print adds the rollout to the result of the build.
func (b *buildRollout) print(results []rollout.Result, rows []builtService) error {
	switch {
	case b.o.output == outputEnv && b.w.structured:
		logRollouts(b.w, results)
		return nil
	case b.o.output == outputEnv:
		return printRollouts(b.w, b.w.stderr, results, "text") // stdout is for a shell to read
	case b.o.output != "json":
		return printRollouts(b.w, b.w.stdout, results, b.o.output)
	}
	return writeJSON(b.w.stdout, delivered{rows, rolloutRows(b.w, results)})
}
