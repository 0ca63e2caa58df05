package build

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"slipway/build/inputs"
	"slipway/registry"
	"slipway/registry/referrers"
	"slipway/registry/revisions"
)

// recordTime is how long the inputs of one component may take to be read or
// recorded.
const recordTime = 10 * time.Second

// recordAttempts is how often a call for recorded inputs is tried.
const recordAttempts = 3

// recordClient returns a client for recorded inputs. When AWS throttles it, the
// calls of the build itself do not slow down.
func (j *job) recordClient(c *Component) *ecr.Client {
	return ecr.New(j.clients(c.Repository.Region).Options(), func(o *ecr.Options) {
		o.Retryer, o.RetryMaxAttempts = retry.NewStandard(), min(o.RetryMaxAttempts, recordAttempts)
	})
}

// changesOf returns the inputs of a component that differ from those of the image
// that latest points to, in words; nil if these are not recorded. It only explains:
// an error changes nothing. Calls: one ListImageReferrers, then one
// GetDownloadUrlForLayer and a GET if the inputs are recorded.
func (j *job) changesOf(ctx context.Context, c *Component) []string {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	latest, _ := j.before.ByTag(c.Repository.Ref, registry.TagLatest)
	client := j.recordClient(c)
	recorded, err := referrers.List(ctx, client, c.Repository, latest.Digest)
	if err == nil && len(recorded) == 0 {
		return nil
	}
	var old *inputs.Record
	if err == nil {
		c.recorded = recorded
		old, err = readRecord(ctx, client, c.Repository, recorded[0])
	}
	if err != nil {
		j.Debugf("%s: the inputs of the image before are not known: %v", c.Target.Service, err)
		return nil
	}
	return append([]string{}, c.Inputs.Inputs.Record().Changes(old)...)
}

// readRecord returns the inputs that an artifact has.
func readRecord(ctx context.Context, client *ecr.Client, repo registry.Repository, a referrers.Artifact) (*inputs.Record, error) {
	document, err := referrers.Read(ctx, client, repo, a)
	if err != nil {
		return nil, err
	}
	return inputs.DecodeRecord(document)
}

// recordable reports whether the inputs of a component are recorded: those of the
// images that were built. An untrusted build records none: it must not explain
// trusted ones.
func (j *job) recordable(c *Component) bool { return c.confirmed && !j.plan.Untrusted.Yes() }

// uploadInputs uploads the inputs that will be recorded, while the tags move. An error
// changes nothing: missing inputs are uploaded when they are recorded.
func (j *job) uploadInputs(ctx context.Context) {
	var g errgroup.Group
	g.SetLimit(registry.MaxCalls)
	for _, c := range j.components {
		if !j.recordable(c) {
			continue
		}
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, recordTime)
			defer cancel()
			var err error
			if c.document, err = c.Inputs.Inputs.Record().Encode(); err == nil {
				err = referrers.Upload(ctx, j.recordClient(c), c.Repository, c.document, len(c.recorded) == 0)
			}
			if err != nil {
				j.Debugf("the inputs of %s are not uploaded: %v", c.Target.Service, err)
			}
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
}

// record keeps the inputs that uploadInputs has prepared, for the builds to come to name
// what has changed. An error changes nothing.
func (j *job) record(ctx context.Context, published *revisions.Snapshot) {
	var g errgroup.Group
	g.SetLimit(registry.MaxCalls)
	for _, c := range j.components {
		image, ok := published.ByDigest(c.Repository.Ref, c.Digest)
		if len(c.document) == 0 || !ok {
			continue
		}
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, recordTime)
			defer cancel()
			if err := j.recordOne(ctx, c, image); err != nil {
				j.Debugf("the inputs of %s are not recorded: %v", c.Target.Service, err)
			}
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	j.reached("inputs recorded")
}

// recordOne keeps the inputs of one image. If the image is the one before, built
// from other inputs, theirs are deleted: an image has the newest.
func (j *job) recordOne(ctx context.Context, c *Component, image revisions.Image) error {
	client := j.recordClient(c)
	written, err := referrers.Write(ctx, client, c.Repository, ocispecs.Descriptor{
		MediaType: image.MediaType, Digest: digest.Digest(image.Digest), Size: int64(len(image.Manifest)),
	}, c.document)
	latest, _ := j.before.ByTag(c.Repository.Ref, registry.TagLatest)
	if err != nil || latest.Digest != image.Digest {
		return err
	}
	old := slices.DeleteFunc(slices.Clone(c.recorded), func(a referrers.Artifact) bool { return a.Digest == written })
	if len(old) == 0 {
		return nil
	}
	return referrers.Delete(ctx, client, c.Repository, old)
}
