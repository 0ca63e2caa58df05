package cmd

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
	"slipway/internal/plain"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/retention"
	"slipway/rollout/ecs"
)

// retaining is one run of `slipway retention`: everything is read, then shown and agreed
// to, then written.
type retaining struct {
	*cli
	o     retentionCommand
	cloud *awsclient.Clients
	// Name is nil where there are only buckets.
	project  *types.Project
	policies []retention.State
	// listing is of the unmanaged repositories.
	listing *revisions.Listing
	buckets []artifact.BucketRetention
	// expiring are the images that would expire now, by ECR's preview.
	expiring map[registry.Ref][]registry.Expiry
}

// read reads the policies and what they would take, and writes nothing.
func (r *retaining) read(ctx context.Context, refs []registry.Ref, places []artifact.S3Location) error {
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
	if r.policies, err = retention.Read(ctx, clients, repos, r.o.policy); err != nil {
		return err
	}
	if strange := retention.Unmanaged(r.policies); len(strange) > 0 {
		if r.listing, err = revisions.List(ctx, clients, strange); err != nil {
			return err
		}
		if err := retention.FindLosses(ctx, clients, r.listing, r.policies, nil); err != nil {
			return err
		}
	}
	for _, loc := range places {
		b, err := artifact.ReadBucketRetention(ctx, r.cloud.S3(), loc, int32(r.o.policy.Days))
		if err != nil {
			return err
		}
		r.buckets = append(r.buckets, b)
	}
	return nil
}

// preview asks ECR what would expire now.
func (r *retaining) preview(ctx context.Context) error {
	expiring := make([][]registry.Expiry, len(r.policies))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(retention.MaxCalls)
	for i, p := range r.policies {
		if p.Clash != nil {
			continue
		}
		g.Go(func() (err error) {
			_, expiring[i], err = registry.PreviewRetention(ctx, r.cloud.Registries()(p.Repository.Region), p.Repository, r.o.policy.Days, r.o.policy.Replace, registry.Wait{})
			return err
		})
	}
	err := g.Wait()
	r.expiring = map[registry.Ref][]registry.Expiry{}
	for i, p := range r.policies {
		r.expiring[p.Repository.Ref] = expiring[i]
	}
	return err
}

// agree shows what would be lost, and makes sure that this is wanted.
func (r *retaining) agree(ctx context.Context) error {
	if !r.show() {
		return nil
	}
	if err := r.checkRunning(ctx); err != nil {
		return err
	}
	switch {
	case !r.o.apply:
		return fault.New(fault.Usage, errors.New("nothing was written: images or objects of others would expire"), "type `slipway retention --apply` with the same arguments to let them expire")
	case r.o.yes:
		return nil
	case !r.Interactive():
		return fault.New(fault.Usage, errors.New("nothing was written: there is no terminal to ask on"), "give --yes to let the images and objects above expire")
	}
	yes, err := r.Confirm(ctx, "Let them expire?")
	if err != nil {
		return &fault.InterruptedError{State: "interrupted: nothing was written"}
	}
	if !yes {
		return fault.New(fault.Usage, errors.New("not confirmed: nothing was written"), "answer y, or give --yes")
	}
	return nil
}

// show names what would be lost, on stderr, and reports whether there is anything.
func (r *retaining) show() bool {
	found := false
	for _, p := range r.policies {
		if len(p.Losses) == 0 {
			continue
		}
		found = true
		r.Warnf("%s: %s would expire %s after the push, and no protecting tag keeps them:", p.Repository.Name, phrase.Count(len(p.Losses), "image"), phrase.Count(r.o.policy.Days, "day"))
		for _, i := range p.Losses[:min(len(p.Losses), retention.ShownLosses)] {
			r.Warnf("  %s  %s  pushed %s", phrase.ShortDigest(i.Digest), tagsText(i.Tags), i.Pushed.UTC().Format(time.RFC3339))
		}
		if more := len(p.Losses) - retention.ShownLosses; more > 0 {
			r.Warnf("  and %d older", more)
		}
	}
	for _, b := range r.buckets {
		if b.Objects == 0 {
			continue
		}
		found = true
		r.Warnf("%s: %s would expire after %s:", b.Location, b.Count(), phrase.Count(r.o.policy.Days, "day"))
		for _, o := range b.Newest[:min(len(b.Newest), retention.ShownLosses)] {
			r.Warnf("  %s  written %s", o.Key, o.Modified.UTC().Format(time.RFC3339))
		}
	}
	return found
}

func tagsText(tags []string) string {
	if len(tags) == 0 {
		return "untagged"
	}
	return strings.Join(tags, ",")
}

// checkRunning says what ECS runs of the repositories that would lose images, and refuses
// to let a running image expire.
func (r *retaining) checkRunning(ctx context.Context) error {
	running := r.running(ctx)
	seen := map[registry.Ref][]string{}
	for _, i := range running {
		seen[i.ref] = append(seen[i.ref], i.digest)
	}
	if r.listing == nil || len(running) == 0 {
		return nil
	}
	if err := r.listing.ReadIndexes(ctx, r.cloud.Registries(), seen); err != nil {
		return refused(err)
	}
	for _, i := range running {
		p := slices.IndexFunc(r.policies, func(p retention.State) bool { return p.Repository.Ref == i.ref })
		if p < 0 || len(r.policies[p].Losses) == 0 {
			continue
		}
		image, ok := r.listing.Image(i.ref, i.digest)
		if !ok {
			continue
		}
		r.Infof("%s: ECS service %s runs %s (%s)", i.ref.Name, i.service, phrase.ShortDigest(image.Digest), tagsText(image.Tags))
		if slices.ContainsFunc(r.policies[p].Losses, func(l revisions.ImageDetail) bool { return l.Digest == image.Digest }) {
			return fault.New(fault.Usage, fmt.Errorf("nothing was written: ECS service %s runs image %s of %s, and no protecting tag points to it", i.service, phrase.ShortDigest(image.Digest), i.ref.Name), "protect it with `slipway build`, or with `slipway rollback` to the revision that runs, and type the command again")
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
func (r *retaining) running(ctx context.Context) []runs {
	if r.project == nil {
		return nil // there are only buckets
	}
	s := &project.ECS{}
	if err := s.AddProject(&r.cli.Host, r.project, project.ECSOptions{}); err != nil || len(s.Services) == 0 {
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
			for _, p := range r.policies {
				if asked := st.Containers[container]; asked.Name == p.Repository.Name {
					out = append(out, runs{st.Ref, p.Repository.Ref, digest})
				}
			}
		}
	}
	return out
}

// write writes the policies and the buckets' rules that differ.
func (r *retaining) write(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(retention.MaxCalls)
	for i, p := range r.policies {
		if p.Clash != nil || !p.Outcome.Changed {
			continue
		}
		g.Go(func() error {
			done, err := registry.ApplyRetention(gctx, r.cloud.Registries()(p.Repository.Region), p.Repository, r.o.policy.Days, r.o.policy.Replace)
			if err == nil {
				r.policies[i].RetentionResult = done
				retention.LogDropped(&r.Host, p.Repository, done.Outcome)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, b := range r.buckets {
		if _, _, err := artifact.ApplyBucketRetention(ctx, r.cloud.S3(), b.Location.Bucket, b.Location.Key, int32(r.o.policy.Days), false); err != nil {
			return err
		}
	}
	return nil
}

// results are what was done or would be.
func (r *retaining) results() []retained {
	var out []retained
	for _, p := range r.policies {
		e := retained{Target: p.Repository.URI.Name(), Changed: p.Outcome.Changed && p.Clash == nil}
		if p.Clash != nil {
			e.Conflict = p.Clash.Error()
		}
		if r.o.preview {
			e.Losses, e.NeedsApply = len(p.Losses), len(p.Losses) > 0
		}
		for _, x := range r.expiring[p.Repository.Ref] {
			e.Expires = append(e.Expires, expiry{x.Digest, x.Tags, x.PushedAt})
		}
		out = append(out, e)
	}
	for _, b := range r.buckets {
		e := retained{Target: b.Location.String(), Changed: b.Changed}
		if r.o.preview {
			e.Losses, e.NeedsApply = b.Objects, b.Objects > 0
		}
		out = append(out, e)
	}
	return out
}

func (r *retaining) print() error {
	results, conflicts := r.results(), 0
	for _, e := range results {
		if e.Conflict != "" {
			conflicts++
			r.Warnf("%s: %s\n%s", e.Target, e.Conflict, conflictHint)
		}
	}
	if r.o.output == "json" {
		if err := writeJSON(r.stdout, results); err != nil {
			return err
		}
	} else {
		for _, e := range results {
			r.printOne(e)
		}
	}
	if conflicts > 0 {
		return &reportedError{fault.New(fault.AWS, fmt.Errorf("%s left as they are", phrase.Count(conflicts, "policy conflict")), "")}
	}
	return nil
}

func (r *retaining) printOne(e retained) {
	state := "unchanged"
	switch {
	case e.Conflict != "":
		state = "conflict"
	case e.NeedsApply:
		state = fmt.Sprintf("would change only with --apply: %d images or objects of others would expire", e.Losses)
	case e.Changed && r.o.preview:
		state = "would change"
	case e.Changed:
		state = "changed"
	}
	plain.Fprintf(r.stdout, "%s  %s\n", e.Target, state)
	for _, x := range e.Expires {
		plain.Fprintf(r.stdout, "  would expire  %s  %s  pushed %s\n", x.Digest, tagsText(x.Tags), x.Pushed.UTC().Format(time.RFC3339))
	}
}
