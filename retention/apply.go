package retention

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"golang.org/x/sync/errgroup"

	"slipway/artifact"
	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
)

// Applied is one run of `slipway retention`: everything is read, then shown and agreed
// to, then written.
type Applied struct {
	*project.Host
	o     ApplyOptions
	cloud *awsclient.Clients
	// project is nil where there are only buckets.
	project  *types.Project
	Policies []State
	// listing is of the unmanaged repositories.
	listing *revisions.Listing
	Buckets []artifact.BucketRetention
	// Expiring are the images that would expire now, by ECR's preview.
	Expiring map[registry.Ref][]registry.Expiry
}

// ApplyOptions say what a run of `slipway retention` may do.
type ApplyOptions struct {
	Policy Options
	// Preview writes nothing and lists the images that would expire now.
	Preview bool
	// Apply lets images and objects of others expire; Yes does not ask first.
	Apply, Yes bool
}

// Apply reads the policies of repositories and bucket prefixes, shows what would
// be lost, and writes them if that is agreed to. composed is nil without a project.
func Apply(ctx context.Context, host *project.Host, aws *awsclient.Clients, composed *types.Project, refs []registry.Ref, places []artifact.S3Location, o ApplyOptions) (*Applied, error) {
	r := &Applied{Host: host, o: o, cloud: aws, project: composed}
	if err := r.read(ctx, refs, places); err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	if o.Preview {
		return r, fault.As(fault.AWS, r.preview(ctx))
	}
	if err := r.agree(ctx); err != nil {
		return nil, err
	}
	return r, fault.As(fault.AWS, r.write(ctx))
}

// read reads the policies and what they would take, and writes nothing.
func (r *Applied) read(ctx context.Context, refs []registry.Ref, places []artifact.S3Location) error {
	clients := r.cloud.Registries()
	found, missing, err := registry.Find(ctx, clients, refs)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return &registry.MissingError{Refs: missing}
	}
	var repos []registry.Repository
	for _, ref := range refs {
		repos = append(repos, found[ref])
	}
	if r.Policies, err = Read(ctx, clients, repos, r.o.Policy); err != nil {
		return err
	}
	if strange := Unmanaged(r.Policies); len(strange) > 0 {
		if r.listing, err = revisions.List(ctx, clients, strange); err != nil {
			return err
		}
		if err := FindLosses(ctx, clients, r.listing, r.Policies, nil); err != nil {
			return err
		}
	}
	for _, loc := range places {
		b, err := artifact.ReadBucketRetention(ctx, r.cloud.S3(), loc, int32(r.o.Policy.Days))
		if err != nil {
			return err
		}
		r.Buckets = append(r.Buckets, b)
	}
	return nil
}

// preview asks ECR for the images that would expire now.
func (r *Applied) preview(ctx context.Context) error {
	expiring := make([][]registry.Expiry, len(r.Policies))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(MaxCalls)
	for i, p := range r.Policies {
		if p.Clash != nil {
			continue
		}
		g.Go(func() (err error) {
			_, expiring[i], err = registry.PreviewRetention(ctx, r.cloud.Registries()(p.Repository.Region), p.Repository, r.o.Policy.Days, r.o.Policy.Replace, registry.Wait{})
			return err
		})
	}
	err := g.Wait()
	r.Expiring = map[registry.Ref][]registry.Expiry{}
	for i, p := range r.Policies {
		r.Expiring[p.Repository.Ref] = expiring[i]
	}
	return err
}

// agree shows what would be lost, and makes sure that this is wanted.
func (r *Applied) agree(ctx context.Context) error {
	if !r.show() {
		return nil
	}
	if err := r.checkRunning(ctx); err != nil {
		return err
	}
	switch {
	case !r.o.Apply:
		return &Error{NotAgreed, errors.New("nothing was written: images or objects of others would expire")}
	case r.o.Yes:
		return nil
	case !r.Interactive():
		return &Error{NoTerminal, errors.New("nothing was written: there is no terminal to ask on")}
	}
	yes, err := r.Confirm(ctx, "Let them expire?")
	if err != nil {
		return &fault.InterruptedError{State: "interrupted: nothing was written"}
	}
	if !yes {
		return &Error{Declined, errors.New("not confirmed: nothing was written")}
	}
	return nil
}

// show names what would be lost, on stderr, and reports whether there is anything.
func (r *Applied) show() bool {
	found := false
	for _, p := range r.Policies {
		if len(p.Losses) == 0 {
			continue
		}
		found = true
		r.Warnf("%s: %s would expire %s after the push, and no protecting tag keeps them:", p.Repository.Name, phrase.Count(len(p.Losses), "image"), phrase.Count(r.o.Policy.Days, "day"))
		for _, i := range p.Losses[:min(len(p.Losses), ShownLosses)] {
			r.Warnf("  %s  %s  pushed %s", phrase.ShortDigest(i.Digest), TagsText(i.Tags), i.Pushed.UTC().Format(time.RFC3339))
		}
		if more := len(p.Losses) - ShownLosses; more > 0 {
			r.Warnf("  and %d older", more)
		}
	}
	for _, b := range r.Buckets {
		if b.Objects == 0 {
			continue
		}
		found = true
		r.Warnf("%s: %s would expire after %s:", b.Location, b.Count(), phrase.Count(r.o.Policy.Days, "day"))
		for _, o := range b.Newest[:min(len(b.Newest), ShownLosses)] {
			r.Warnf("  %s  written %s", o.Key, o.Modified.UTC().Format(time.RFC3339))
		}
	}
	return found
}

// TagsText returns the tags of an image in a line: without those that name its inputs,
// unless it has no others.
func TagsText(tags []string) string {
	shown := slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return strings.HasPrefix(tag, registry.TagInputs) })
	switch {
	case len(tags) == 0:
		return "untagged"
	case len(shown) == 0:
		shown = tags
	}
	return strings.Join(shown, ",")
}

// checkRunning says what ECS runs of the repositories that would lose images, and refuses
// to let a running image expire.
func (r *Applied) checkRunning(ctx context.Context) error {
	running := r.running(ctx)
	seen := map[registry.Ref][]string{}
	for _, i := range running {
		seen[i.ref] = append(seen[i.ref], i.digest)
	}
	if r.listing == nil || len(running) == 0 {
		return nil
	}
	if err := r.listing.ReadIndexes(ctx, r.cloud.Registries(), seen); err != nil {
		return fault.As(fault.AWS, err)
	}
	for _, i := range running {
		p := slices.IndexFunc(r.Policies, func(p State) bool { return p.Repository.Ref == i.ref })
		if p < 0 || len(r.Policies[p].Losses) == 0 {
			continue
		}
		image, ok := r.listing.Image(i.ref, i.digest)
		if !ok {
			continue
		}
		r.Infof("%s: ECS service %s runs %s (%s)", i.ref.Name, i.service, phrase.ShortDigest(image.Digest), TagsText(image.Tags))
		if slices.ContainsFunc(r.Policies[p].Losses, func(l revisions.ImageDetail) bool { return l.Digest == image.Digest }) {
			return &Error{Unprotected, fmt.Errorf("nothing was written: ECS service %s runs image %s of %s, and no protecting tag points to it", i.service, phrase.ShortDigest(image.Digest), i.ref.Name)}
		}
	}
	return nil
}

// runs is an image that an ECS service runs.
type runs struct {
	service ecs.Ref
	ref     registry.Ref
	digest  string
}

// running asks ECS what the services of the compose file run. What cannot be read is said.
func (r *Applied) running(ctx context.Context) []runs {
	if r.project == nil {
		return nil // there are only buckets
	}
	s := &project.ECS{}
	if err := s.AddProject(r.Host, r.project, project.ECSOptions{}); err != nil || len(s.Services) == 0 {
		r.Infof("the compose file names no ECS service, so the running images are not known")
		return nil
	}
	images, err := ecs.Images(ctx, r.cloud.ECS(), s.Refs())
	if err != nil {
		r.Warnf("the running images are not known: %v", err)
	}
	var out []runs
	for _, st := range s.Services {
		for container, digest := range images[st.Ref] {
			for _, p := range r.Policies {
				if asked := st.Containers[container]; asked.Name == p.Repository.Name {
					out = append(out, runs{st.Ref, p.Repository.Ref, digest})
				}
			}
		}
	}
	return out
}

// write writes the policies and the buckets' rules that differ.
func (r *Applied) write(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(MaxCalls)
	for i, p := range r.Policies {
		if p.Clash != nil || !p.Outcome.Changed {
			continue
		}
		g.Go(func() error {
			done, err := registry.ApplyRetention(gctx, r.cloud.Registries()(p.Repository.Region), p.Repository, r.o.Policy.Days, r.o.Policy.Replace)
			if err == nil {
				r.Policies[i].RetentionResult = done
				LogDropped(r.Host, p.Repository, done.Outcome)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, b := range r.Buckets {
		if _, _, err := artifact.ApplyBucketRetention(ctx, r.cloud.S3(), b.Location.Bucket, b.Location.Key, int32(r.o.Policy.Days), false); err != nil {
			return err
		}
	}
	return nil
}
