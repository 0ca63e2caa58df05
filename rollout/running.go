package rollout

import (
	"context"

	"slipway/internal/awsclient"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
)

// RunningImages asks ECS which digests the services of a project run, by repository
// and by service.
// repositoryOf returns the repository of a container, and reports whether it is the
// project's. The result has what could be read, also with an error.
func RunningImages(ctx context.Context, aws *awsclient.Clients, p *project.ECS, repositoryOf func(*project.ECSService, string) (registry.Ref, bool)) (map[registry.Ref]string, revisions.Live, error) {
	services, err := ecs.Images(ctx, aws.ECS(), p.Refs())
	out, live := map[registry.Ref]string{}, revisions.Live{}
	for _, service := range p.Services {
		for container, digest := range services[service.Ref] {
			if ref, ok := repositoryOf(service, container); ok {
				out[ref] = digest
				live.Set(ref, registry.LiveTag(service.Ref.Cluster, service.Ref.Service), digest)
			}
		}
	}
	return out, live, err
}
