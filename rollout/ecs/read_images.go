package ecs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

type imagesReader interface {
	serviceDescriber
	taskReader
	revisionReader
}

// Images reads, for each service, the digest that each container runs: the one
// of most tasks, or where no task runs the one that the service's revision
// gives to new tasks. Containers of which neither is known are left out. It
// takes one call for each ten services of a cluster, then two for each service
// that has running tasks (a hundred of them are looked at) and one for each
// that has none.
//
// Errors: a *MissingError for each service that does not exist, joined.
func Images(ctx context.Context, client imagesReader, refs []Ref) (map[Ref]map[string]string, error) {
	described, err := describeServices(ctx, client, refs, false)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	all := make(map[Ref]map[string]string, len(described))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for ref, raw := range described {
		g.Go(func() error {
			images, err := imagesOf(ctx, client, newService(ref, raw))
			if err != nil {
				return fmt.Errorf("reading the images of ECS service %s: %w", ref, err)
			}
			mu.Lock()
			defer mu.Unlock()
			all[ref] = images
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return all, nil
}

func imagesOf(ctx context.Context, client imagesReader, s Service) (map[string]string, error) {
	images := map[string]string{}
	if s.Running > 0 {
		running, err := runningDigests(ctx, client, s, onePage)
		if err != nil {
			return nil, err
		}
		for container, counts := range running {
			if digest := mostRun(counts); digest != "" {
				images[container] = digest
			}
		}
	}
	if len(images) > 0 {
		return images, nil
	}
	present := presentRevision(s.Raw, nil)
	digests, err := RevisionDigests(ctx, client, []string{present})
	if err != nil {
		return nil, err
	}
	maps.Copy(images, digests[present])
	return images, nil
}

// mostRun returns the digest of most tasks, of equals the first by name; empty
// for none.
func mostRun(counts map[string]int) string {
	known := slices.DeleteFunc(slices.Sorted(maps.Keys(counts)), func(d string) bool { return d == "" })
	if len(known) == 0 {
		return ""
	}
	return slices.MaxFunc(known, func(a, b string) int { return cmp.Compare(counts[a], counts[b]) })
}
