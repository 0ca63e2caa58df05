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
	"slipway/internal/fault"
	"slipway/internal/plain"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
)

// retaining is one run of `slipway retention`: everything is read, then shown and agreed
// to, then written.
type retaining struct {
	*world
	o     retentionCommand
	cloud *cloud
	// project is nil where there are only buckets.
	project  *types.Project
	policies []retention
	// listing is of the unmanaged repositories.
	listing *revisions.Listing
	buckets []artifact.BucketRetention
	// expiring are the images that would expire now, by ECR's preview.
	expiring map[registry.Ref][]registry.Expiry
}

// read reads the policies and what they would take, and writes nothing.
func (r *retaining) read(ctx context.Context, refs []registry.Ref, places []artifact.S3Location) error {
	clients := r.cloud.clients()
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
	if r.policies, err = readPolicies(ctx, clients, repos, r.o.policy); err != nil {
		return err
	}
	if strange := unmanaged(r.policies); len(strange) > 0 {
		if r.listing, err = revisions.List(ctx, clients, strange); err != nil {
			return err
		}
		if err := judge(ctx, clients, r.listing, r.policies, nil); err != nil {
			return err
		}
	}
	for _, loc := range places {
		b, err := artifact.ReadBucketRetention(ctx, r.cloud.s3(), loc, int32(r.o.policy.days))
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
	g.SetLimit(retentionCalls)
	for i, p := range r.policies {
		if p.clash != nil {
			continue
		}
		g.Go(func() (err error) {
			_, expiring[i], err = registry.PreviewRetention(ctx, r.cloud.clients()(p.Repository.Region), p.Repository, r.o.policy.days, r.o.policy.replace, registry.Wait{})
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
	case !r.interactive():
		return fault.New(fault.Usage, errors.New("nothing was written: there is no terminal to ask on"), "give --yes to let the images and objects above expire")
	}
	yes, err := r.confirm(ctx, "Let them expire?")
	if err != nil {
		return &interruptedError{"interrupted: nothing was written"}
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
		if len(p.losses) == 0 {
			continue
		}
		found = true
		r.log.Warn().Msgf("%s: %s would expire %s after the push, and no protecting tag keeps them:", p.Repository.Name, plural(len(p.losses), "image"), plural(r.o.policy.days, "day"))
		for _, i := range p.losses[:min(len(p.losses), shownLosses)] {
			r.log.Warn().Msgf("  %s  %s  pushed %s", shortDigest(i.Digest), tagsText(i.Tags), i.Pushed.UTC().Format(time.RFC3339))
		}
		if more := len(p.losses) - shownLosses; more > 0 {
			r.log.Warn().Msgf("  and %d older", more)
		}
	}
	for _, b := range r.buckets {
		if b.Objects == 0 {
			continue
		}
		found = true
		r.log.Warn().Msgf("%s: %s would expire after %s:", b.Location, b.Count(), plural(r.o.policy.days, "day"))
		for _, o := range b.Newest[:min(len(b.Newest), shownLosses)] {
			r.log.Warn().Msgf("  %s  written %s", o.Key, o.Modified.UTC().Format(time.RFC3339))
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
	if err := r.listing.ReadIndexes(ctx, r.cloud.clients(), seen); err != nil {
		return refused(err)
	}
	for _, i := range running {
		p := slices.IndexFunc(r.policies, func(p retention) bool { return p.Repository.Ref == i.ref })
		if p < 0 || len(r.policies[p].losses) == 0 {
			continue
		}
		image, ok := r.listing.Image(i.ref, i.digest)
		if !ok {
			continue
		}
		r.log.Info().Msgf("%s: ECS service %s runs %s (%s)", i.ref.Name, i.service, shortDigest(image.Digest), tagsText(image.Tags))
		if slices.ContainsFunc(r.policies[p].losses, func(l revisions.ImageDetail) bool { return l.Digest == image.Digest }) {
			return fault.New(fault.Usage, fmt.Errorf("nothing was written: ECS service %s runs image %s of %s, and no protecting tag points to it", i.service, shortDigest(image.Digest), i.ref.Name), "protect it with `slipway build`, or with `slipway rollback` to the revision that runs, and type the command again")
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
	s := &site{given: true}
	if err := s.addProject(r.world, r.project, ecsOptions{}); err != nil || len(s.stations) == 0 {
		r.log.Info().Msg("the compose file names no ECS service, so the running images are not known")
		return nil
	}
	images, err := ecs.Images(ctx, r.cloud.ecs(), s.refs())
	if err != nil {
		r.log.Warn().Msgf("the running images are not known: %v", err)
	}
	var out []runs
	for _, st := range s.stations {
		for container, digest := range images[st.ref] {
			for _, p := range r.policies {
				if asked := st.containers[container]; asked.Name == p.Repository.Name {
					out = append(out, runs{st.ref, p.Repository.Ref, digest})
				}
			}
		}
	}
	return out
}

// write writes the policies and the buckets' rules that differ.
func (r *retaining) write(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(retentionCalls)
	for i, p := range r.policies {
		if p.clash != nil || !p.Outcome.Changed {
			continue
		}
		g.Go(func() error {
			done, err := registry.ApplyRetention(gctx, r.cloud.clients()(p.Repository.Region), p.Repository, r.o.policy.days, r.o.policy.replace)
			if err == nil {
				r.policies[i].RetentionResult = done
				tellDropped(r.world, p.Repository, done.Outcome)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, b := range r.buckets {
		if _, _, err := artifact.ApplyBucketRetention(ctx, r.cloud.s3(), b.Location.Bucket, b.Location.Key, int32(r.o.policy.days), false); err != nil {
			return err
		}
	}
	return nil
}

// results are what was done or would be.
func (r *retaining) results() []retained {
	var out []retained
	for _, p := range r.policies {
		e := retained{Target: p.Repository.URI.Name(), Changed: p.Outcome.Changed && p.clash == nil}
		if p.clash != nil {
			e.Conflict = p.clash.Error()
		}
		if r.o.preview {
			e.Losses, e.NeedsApply = len(p.losses), len(p.losses) > 0
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
			r.log.Warn().Msgf("%s: %s\n%s", e.Target, e.Conflict, conflictHint)
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
		return &reportedError{fault.New(fault.AWS, fmt.Errorf("%s left as they are", plural(conflicts, "policy conflict")), "")}
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
