package cmd

import (
	"context"
	"errors"
	"slices"
	"strings"

	"slipway/internal/fault"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
)

// running asks ECS which digests it runs, so that deployed protects those. Where it
// cannot be asked, the job goes on: what latest stands on is then taken for what runs.
func (j *job) running(ctx context.Context) map[registry.Ref]string {
	if len(j.plan.site.stations) == 0 || j.options.noLatest {
		return nil
	}
	out, err := j.askRunning(ctx)
	var missing *ecs.MissingError
	switch {
	case errors.As(err, &missing):
		j.log.Info().Msgf("%s: deployed will mark what latest stands on", strings.ReplaceAll(err.Error(), "\n", "; "))
	case err != nil && ctx.Err() == nil:
		j.log.Warn().Msgf("what ECS runs cannot be read, so deployed will mark what latest stands on: %v", err)
	}
	return out
}

// askRunning asks ECS which digests it runs, by repository.
func (j *job) askRunning(ctx context.Context) (map[registry.Ref]string, error) {
	services, err := ecs.Images(ctx, j.cloud.ecs(), j.plan.site.refs())
	out := map[registry.Ref]string{}
	for _, st := range j.plan.site.stations {
		for container, digest := range services[st.ref] {
			if i := j.serviceOf(st, container); i >= 0 {
				out[j.repos[i].Ref] = digest
			}
		}
	}
	return out, err
}

// serviceOf is the index of the plan's service whose image a station's container runs, or
// -1. Containers of two ECS services may be called alike.
func (j *job) serviceOf(st *station, container string) int {
	return slices.IndexFunc(j.plan.services, func(s service) bool {
		return s.target.Container == container && s.repo == st.containers[container]
	})
}

// checkSite finds out before anything is built whether the images could be deployed.
func (j *job) checkSite(ctx context.Context) error {
	if !j.options.rollout {
		return nil
	}
	if err := j.plan.site.look(ctx, j.world, j.cloud); err != nil {
		return err
	}
	if err := j.plan.site.drivable(ctx, j.cloud); err != nil {
		return err
	}
	d := j.deployJob(func(i int) ecs.DesiredImage { return ecs.DesiredImage{Image: j.plan.services[i].repo.Name} })
	if _, err := d.decide(); err != nil {
		return err
	}
	return j.plan.site.askServices(ctx, j.world, j.options.project, j.plan.site.services(), false)
}

// deployJob is the deployment of the plan's images, given the want of each of its services
// by index.
func (j *job) deployJob(want func(int) ecs.DesiredImage) *deployJob {
	d := &deployJob{world: j.world, options: j.options.deploy, clients: j.clients, cloud: j.cloud, site: j.plan.site, exact: true}
	d.wants = map[ecs.Ref]map[string]ecs.DesiredImage{}
	for _, st := range d.site.stations {
		d.wants[st.ref] = map[string]ecs.DesiredImage{}
		for container := range st.containers {
			d.wants[st.ref][container] = want(j.serviceOf(st, container))
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
	if err := d.site.look(ctx, j.world, j.cloud); err != nil {
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
