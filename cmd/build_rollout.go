package cmd

import (
	"context"
	"errors"
	"slices"
	"strings"

	"slipway/build"
	"slipway/cmd/summary"
	"slipway/internal/awsclient"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout"
	"slipway/rollout/ecs"
)

// runningImages asks ECS which digests it runs, so that tags protect those. Where it
// cannot be asked, the build goes on: what latest points to is then taken for what runs.
func runningImages(ctx context.Context, host *project.Host, aws *awsclient.Clients, p *project.Plan, components []*build.Component) (map[registry.Ref]string, revisions.Live) {
	if len(p.ECS.Services) == 0 {
		return nil, nil
	}
	out, live, err := rollout.RunningImages(ctx, aws, p.ECS, func(service *project.ECSService, container string) (registry.Ref, bool) {
		if c := componentOf(components, service, container); c != nil {
			return c.Repository.Ref, true
		}
		return registry.Ref{}, false
	})
	var missing *ecs.MissingError
	switch {
	case errors.As(err, &missing):
		host.Infof("%s: the images that latest points to will be protected", strings.ReplaceAll(err.Error(), "\n", "; "))
	case err != nil && ctx.Err() == nil:
		host.Warnf("the running images cannot be read, so the images that latest points to will be protected: %v", err)
	}
	return out, live
}

// componentOf is the component whose image a container of an ECS service runs, or nil.
// Containers of two ECS services may be called alike.
func componentOf(components []*build.Component, service *project.ECSService, container string) *build.Component {
	i := slices.IndexFunc(components, func(c *build.Component) bool {
		return c.Runs(container) && c.Ref == service.Containers[container]
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
	b.site.Settings, b.site.Before = rollout.SettingsOf(b.plan.TaskFiles), rollout.BeforeOf(b.plan.TaskFiles)
	b.site.Adopt, b.site.Create = b.o.adopt, b.o.createService
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
	images := b.desired(planned, func(c *build.Component) ecs.DesiredImage { return ecs.DesiredImage{Image: c.Ref.Name} })
	if _, err := rollout.Decide(b.site, &rollout.Target{Desired: images}, true); err != nil {
		return err
	}
	return b.site.PermitServices(ctx, &b.w.Host, b.o.project.Options, b.site.States(), false)
}

// desired returns the components' images by service and container.
func (b *buildRollout) desired(components []*build.Component, image func(*build.Component) ecs.DesiredImage) map[ecs.Ref]map[string]ecs.DesiredImage {
	out := map[ecs.Ref]map[string]ecs.DesiredImage{}
	for _, st := range b.site.List {
		out[st.Ref] = map[string]ecs.DesiredImage{}
		for container := range st.Containers {
			if c := componentOf(components, &st.ECSService, container); c != nil {
				out[st.Ref][container] = image(c)
			}
		}
	}
	return out
}

// before runs the one-off tasks of a build that deploys: its images are pushed, and no tag
// has moved.
func (b *buildRollout) before(ctx context.Context, components []*build.Component, known *revisions.Snapshot) error {
	b.site.AllowMissing = false
	if err := b.site.Read(ctx, &b.w.Host, b.aws); err != nil {
		return err
	}
	byDigest := func(c *build.Component) string { return c.ImageURI("", "digest") }
	b.site.SetImagesBefore(func(service string) (string, bool) {
		planned, ok := b.plan.ComponentOf(service)
		i := slices.IndexFunc(components, func(c *build.Component) bool { return ok && c.Ref == planned.Ref })
		if i < 0 {
			return "", false
		}
		return byDigest(components[i]), true
	})
	images := b.desired(components, func(c *build.Component) ecs.DesiredImage {
		image := ecs.DesiredImage{Image: byDigest(c), Digests: []string{c.Digest}}
		if there, ok := known.ByDigest(c.Repository.Ref, c.Digest); ok {
			image.Digests = revisions.Platforms(there)
		}
		return image
	})
	return rollout.RunBefore(ctx, &b.w.Host, b.aws, b.o.deploy, b.site, &rollout.Target{Desired: images}, rolloutHooksOf(b.w))
}

// run deploys the published images, as the definitions name them.
func (b *buildRollout) run(ctx context.Context, r *build.Release, rows []summary.Service) error {
	published := r.Published
	if published.Newer.Revision != "" || published.SupersededBy != "" && r.Overtaken(ctx) {
		return b.print(nil, rows) // the other job deploys its own
	}
	images := b.desired(r.Components, func(c *build.Component) ecs.DesiredImage {
		image, _ := published.Snapshot.ByDigest(c.Repository.Ref, c.Digest)
		return ecs.DesiredImage{Image: c.ImageURI(published.Name, b.o.ImageRef), Digests: revisions.Platforms(image)}
	})
	b.site.AllowMissing = false
	options := b.o.deploy
	options.Exact, options.Overtaken = true, r.Overtaken
	results, err := rollout.Run(ctx, &b.w.Host, b.aws, options, b.site, rollout.Published(published, images), rolloutHooksOf(b.w))
	return errors.Join(err, b.print(results, rows))
}

// delivered is what build --rollout --output json prints.
type delivered struct {
	Services []summary.Service `json:"services"`
	Rollouts []rolloutRow      `json:"rollouts"`
}

// print adds the rollout to the result of the build.
func (b *buildRollout) print(results []rollout.Result, rows []summary.Service) error {
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
