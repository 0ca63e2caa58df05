package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
)

// Describe returns the names of the ECS services, for messages.
func (s *Services) Describe() string {
	var out []string
	for _, st := range s.List {
		out = append(out, st.Ref.String())
	}
	return strings.Join(out, ", ")
}

// runningNames returns the running digests by repository and the tags that protect
// them, to read them: the tags can be moved to the digests.
func (s *Services) runningNames() map[registry.Ref][]string {
	out, live := map[registry.Ref][]string{}, s.Live()
	for ref, digest := range s.Running() {
		out[ref] = append(live.Names(ref), digest)
	}
	return out
}

// FindRevision returns the images of the revision that a command names, and checks
// that it is complete. It writes nothing.
func FindRevision(ctx context.Context, host *project.Host, aws *awsclient.Clients, s *Services, text string) (*Target, error) {
	found, err := revisions.Find(ctx, aws.Registries(), s.Repositories, text, s.runningNames(), s.IsExtraTag)
	if err == nil && found.Name != text {
		host.Infof("%s is short for %s", text, found.Name)
	}
	return s.targetOf(found, err)
}

// targetOf returns the images of a revision that was found.
func (s *Services) targetOf(found revisions.Found, err error) (*Target, error) {
	if err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	t := &Target{Name: found.Name, snapshot: found.Snapshot, images: found.Images}
	t.setDesired(s)
	return t, nil
}

// maxHistory is the number of deployments of a service that are searched for
// the previous images.
const maxHistory = 100

// FindPrevious returns the images that all services together ran before the present
// deployment: going back, those of the first state that is one revision, or, with one
// service, of the first. It writes nothing.
func FindPrevious(ctx context.Context, host *project.Host, aws *awsclient.Clients, s *Services) (*Target, error) {
	for _, st := range s.List {
		if st.State.Controller != ecstypes.DeploymentControllerTypeEcs {
			return nil, refuse(NoHistory, "ECS keeps no history of %s, which %s deploys: the previous images are not known", st.Ref, st.State.Controller)
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(MaxCalls)
	for _, st := range s.List {
		g.Go(func() (err error) {
			st.past, err = ecs.Successful(gctx, aws.ECS(), st.Ref, maxHistory)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	t, err := s.findPrevious(ctx, host, aws)
	if no := new(Error); errors.As(err, &no) && no.Problem == NoHistory {
		return s.findBeforeAdded(ctx, host, aws, err)
	}
	return t, err
}

// findPrevious is FindPrevious once the successful deployments have been read.
func (s *Services) findPrevious(ctx context.Context, host *project.Host, aws *awsclient.Clients) (*Target, error) {
	var histories []ecs.History
	for _, st := range s.List {
		histories = append(histories, ecs.HistoryOf(st.State, st.past, slices.Sorted(maps.Keys(st.Repositories))...))
	}
	return findState(ctx, host, aws, s, slices.Collect(ecs.Previous(histories)))
}

// findState goes back to the first state of all services together that is one revision,
// or, with one service, that has images still there. A state is the digests by service and
// container.
func findState(ctx context.Context, host *project.Host, aws *awsclient.Clients, s *Services, states []map[ecs.Ref]map[string]string) (*Target, error) {
	listing, err := revisions.List(ctx, aws.Registries(), s.Repositories)
	if err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	all := map[registry.Ref][]string{}
	for _, state := range states {
		digests, _ := s.digests(state)
		for ref, digest := range digests {
			all[ref] = append(all[ref], digest)
		}
	}
	if err := listing.ReadIndexes(ctx, aws.Registries(), all); err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	known := listing.Revisions(s.IsExtraTag)
	for _, state := range states {
		digests, whole := s.digests(state)
		names := listing.Common(digests)
		i := slices.IndexFunc(known, func(r revisions.Revision) bool {
			return r.Complete() && !r.Untrusted() && slices.Contains(names, r.Name)
		})
		switch {
		case whole && i >= 0:
			return FindRevision(ctx, host, aws, s, known[i].Name)
		case whole && len(s.List) == 1 && len(digests) == len(s.Repositories):
			found, err := revisions.FindDigests(ctx, aws.Registries(), s.Repositories, digests, s.runningNames(), s.IsExtraTag)
			return s.targetOf(found, err)
		}
	}
	return nil, refuse(NoHistory, "%s: no earlier successful deployment matches a single revision", s.Describe())
}

// digests returns a state's images by repository, as far as they are known.
// They are not whole if two containers had different images of one repository,
// as halfway through a rollout.
func (s *Services) digests(state map[ecs.Ref]map[string]string) (digests map[registry.Ref]string, whole bool) {
	digests, whole = map[registry.Ref]string{}, true
	for _, st := range s.List {
		for container, repo := range st.Repositories {
			digest := state[st.Ref][container]
			if had, ok := digests[repo.Ref]; ok && digest != "" && had != digest {
				whole = false
			}
			if digest != "" {
				digests[repo.Ref] = digest
			}
		}
	}
	return digests, whole
}

// setDesired sets the images of every container of the project.
func (t *Target) setDesired(s *Services) {
	t.Desired = map[ecs.Ref]map[string]ecs.DesiredImage{}
	for _, st := range s.List {
		t.Desired[st.Ref] = map[string]ecs.DesiredImage{}
		for container, repo := range st.Repositories {
			i := slices.IndexFunc(t.images, func(p revisions.RevisionImage) bool { return p.Repository.Ref == repo.Ref })
			if i < 0 {
				continue
			}
			image, _ := t.snapshot.ByDigest(repo.Ref, t.images[i].Digest)
			uri := repo.URI.Name() + "@" + image.Digest
			if t.Name != "" {
				uri = repo.URI.Name() + ":" + t.Name
			}
			t.Desired[st.Ref][container] = ecs.DesiredImage{Image: uri, Digests: revisions.Platforms(image)}
		}
	}
}
