package revisions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/manifests"
)

// apply moves the tags of one step in parallel. The first error, or an
// interrupt, keeps further ones from starting, but cuts none off: it may be
// carried out all the same, and that after undo has looked.
func apply(ctx context.Context, clients registry.Clients, s *Snapshot, step []Change) error {
	var (
		g      errgroup.Group
		mu     sync.Mutex
		failed error
	)
	lasting, done := outlive(ctx, lastCall)
	defer done()
	g.SetLimit(registry.MaxCalls)
	for i, c := range step {
		g.Go(func() error {
			mu.Lock()
			stop := failed != nil || ctx.Err() != nil
			mu.Unlock()
			if stop {
				return ctx.Err()
			}
			image, _ := s.ByDigest(c.Repository.Ref, c.To)
			err := put(lasting, clients(c.Repository.Region), c.Repository, c.Tag, image)
			if flat, ok := s.flatFor(c.To, err); ok {
				step[i].To = flat.Digest
				err = put(lasting, clients(c.Repository.Region), c.Repository, c.Tag, flat)
			}
			if err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
			return err
		})
	}
	_ = g.Wait() // its goroutines keep their errors in failed, but for an interrupt
	if failed != nil {
		return failed
	}
	return ctx.Err()
}

// lastCall is how long calls under way may still take after an interrupt.
const lastCall = 10 * time.Second

// outlive is a context that ends some time after ctx does. The function
// returned frees what it takes.
func outlive(ctx context.Context, extra time.Duration) (context.Context, func()) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(extra):
			cancel()
		case <-lasting.Done():
		}
	})
	return lasting, func() { stop(); cancel() }
}

// put lets a tag point to an image by putting the image's manifest under it.
// ImageAlreadyExistsException means that it does already (PutImage API
// reference). ImageTagAlreadyExistsException means that the tag is immutable:
// a tag of inputs stays on the image that another job built from the same ones,
// and a record on the one that another job made of the same revision.
func put(ctx context.Context, client tagger, repo registry.Repository, tag string, image Image) error {
	out, err := client.PutImage(ctx, &ecr.PutImageInput{
		RegistryId:             repo.Ref.RegistryID(),
		RepositoryName:         aws.String(repo.Name),
		ImageTag:               aws.String(tag),
		ImageDigest:            aws.String(image.Digest),
		ImageManifest:          aws.String(image.Manifest),
		ImageManifestMediaType: aws.String(image.MediaType),
	})
	var (
		exists *types.ImageAlreadyExistsException
		taken  *types.ImageTagAlreadyExistsException
	)
	switch {
	case errors.As(err, &exists):
		return nil
	case errors.As(err, &taken) && (strings.HasPrefix(tag, inputsPrefix) || strings.HasPrefix(tag, registry.TagRecord)):
		return nil
	case err == nil && (out.Image == nil || out.Image.ImageId == nil || aws.ToString(out.Image.ImageId.ImageDigest) != image.Digest):
		err = manifests.Incomplete("PutImage", "the image")
	case err == nil:
		return nil
	}
	return fmt.Errorf("moving %s:%s to %s: %w", repo.Name, tag, image.Digest, err)
}

// revertTime is how long the revert of tags may take, also after an interrupt.
const revertTime = time.Minute
