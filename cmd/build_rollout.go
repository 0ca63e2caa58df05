package cmd

import (
	"context"
	"errors"
	"slices"
	"strings"

	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
)

// running asks ECS which digests it runs, so that deployed protects those. Where it
// cannot be asked, the job goes on: what latest stands on is then taken for what runs.
func (j *job) running(ctx context.Context) map[registry.Ref]string {
	if len(j.plan.ECS.Services) == 0 || j.options.noLatest {
		return nil
	}
	out, err := j.askRunning(ctx)
	var missing *ecs.MissingError
	switch {
	case errors.As(err, &missing):
		j.Infof("%s: deployed will mark what latest stands on", strings.ReplaceAll(err.Error(), "\n", "; "))
	case err != nil && ctx.Err() == nil:
		j.Warnf("what ECS runs cannot be read, so deployed will mark what latest stands on: %v", err)
	}
	return out
}

// askRunning asks ECS which digests it runs, by repository.
func (j *job) askRunning(ctx context.Context) (map[registry.Ref]string, error) {
	services, err := ecs.Images(ctx, j.cloud.ECS(), j.plan.ECS.Refs())
	out := map[registry.Ref]string{}
	for _, st := range j.plan.ECS.Services {
		for container, digest := range services[st.Ref] {
			if i := j.serviceOf(st, container); i >= 0 {
				out[j.repos[i].Ref] = digest
			}
		}
	}
	return out, err
}

// serviceOf is the index of the plan's service whose image a station's container runs, or
// -1. Containers of two ECS services may be called alike.
func (j *job) serviceOf(st *project.ECSService, container string) int {
	return slices.IndexFunc(j.plan.Components, func(s project.Component) bool {
		return s.Target.Container == container && s.Ref == st.Containers[container]
	})
}

// checkSite finds out before anything is built whether the images could be deployed.
func (j *job) checkSite(ctx context.Context) error {
	if !j.options.rollout {
		return nil
	}
	j.site = newSite(j.plan.ECS, true)
	if err := j.site.look(ctx, j.cli, j.cloud); err != nil {
		return err
	}
	if err := j.site.drivable(ctx, j.cloud); err != nil {
		return err
	}
	d := j.deployJob(func(i int) ecs.DesiredImage { return ecs.DesiredImage{Image: j.plan.Components[i].Ref.Name} })
	if _, err := d.decide(); err != nil {
		return err
	}
	return j.site.askServices(ctx, j.cli, j.options.project.Options, j.site.services(), false)
}

// deployJob is the deployment of the plan's images, given the want of each of its services
// by index.
func (j *job) deployJob(want func(int) ecs.DesiredImage) *deployJob {
	d := &deployJob{cli: j.cli, options: j.options.deploy, clients: j.clients, cloud: j.cloud, site: j.site, exact: true}
	d.wants = map[ecs.Ref]map[string]ecs.DesiredImage{}
	for _, st := range d.site.stations {
		d.wants[st.Ref] = map[string]ecs.DesiredImage{}
		for container := range st.Containers {
			d.wants[st.Ref][container] = want(j.serviceOf(&st.ECSService, container))
		}
	}
	return d
}

// rollOut deploys what was published, with the images as the definitions name them.
func (j *job) rollOut(ctx context.Context, images *images, published revisions.Published) (err error) {
	if !j.options.rollout {
		return nil
	}
	d := j.deployJob(func(i int) ecs.DesiredImage {
		p := images.placements[i]
		image, _ := published.Snapshot.ByDigest(p.Repository.Ref, p.Digest)
		return ecs.DesiredImage{Image: imageURI(p, published.Name, j.options.imageRef), Digests: revisions.Platforms(image)}
	})
	d.name = published.Name
	defer func() { err = errors.Join(err, j.print(d)) }()
	if published.SupersededBy != "" {
		return fault.New(fault.AWS, errors.New("nothing was deployed: another job has moved latest to "+published.SupersededBy), "see to it that one job at a time publishes; slipway status shows what runs")
	}
	d.restore = func(ctx context.Context, a revisions.RolloutResult) error { return d.back(ctx, published, a) }
	// Building took its time: what was found before it may be old.
	if err := d.site.look(ctx, j.cli, j.cloud); err != nil {
		return errors.Join(err, d.putBack(ctx, revisions.RolloutResult{}))
	}
	return d.run(ctx)
}

// delivered is what build --rollout --output json prints.
type delivered struct {
	Services []builtService `json:"services"`
	Rollouts []rolledOut    `json:"rollouts"`
}

// print adds the roll-out to the result of the build.
func (j *job) print(d *deployJob) error {
	if j.options.output == outputEnv {
		return d.print(j.stderr, "text") // stdout is for a shell to read
	}
	if j.options.output != "json" {
		return d.print(j.stdout, j.options.output)
	}
	return writeJSON(j.stdout, delivered{j.rows, d.sorted()})
}
