package revisions

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/registry/manifests"
	"slipway/registry/tags"
)

// DeadNames are tags of an image that name expired revisions: a record of each
// was there once, and is not there now.
type DeadNames struct {
	Repository registry.Repository
	// Digest is the image, which has another name.
	Digest string
	Names  []string
}

// dead finds the names of expired revisions among those of the images. A name
// that no record lists is left alone: others may have given it.
func (p Publication) dead(s *Snapshot, name string) []DeadNames {
	if p.Record == nil {
		return nil
	}
	listed := map[string]bool{}
	for _, n := range p.earlier(s, name) {
		listed[n] = true
	}
	var out []DeadNames
	for _, i := range p.Images {
		d := DeadNames{Repository: i.Repository, Digest: i.Digest}
		for _, n := range i.Names {
			if listed[n] && !i.extra(n) && s.digestOf(i.Repository.Ref, registry.RecordTag(n)) == "" {
				d.Names = append(d.Names, n)
			}
		}
		if len(d.Names) > 0 {
			out = append(out, d)
		}
	}
	return out
}

// FindDead finds the names of expired revisions among names that images of the revision
// are known to have since it was published, by repository.
//
// Calls for each repository: one BatchGetImage, if there are names of others.
func (p Published) FindDead(ctx context.Context, clients registry.Clients, names map[registry.Ref][]string) ([]DeadNames, error) {
	again := p.job
	again.Snapshot, again.Images = nil, nil
	for _, i := range p.job.Images {
		// A revision that is published again has its record.
		if i.Names = names[i.Repository.Ref]; slices.ContainsFunc(i.Names, func(n string) bool { return n != p.Name }) {
			again.Images = append(again.Images, i)
		}
	}
	s, err := again.readSnapshot(ctx, clients)
	if err != nil {
		return nil, err
	}
	return again.dead(s, p.Name), nil
}

// RemoveDead removes the names of expired revisions from images that have
// another name, so that an image does not collect tags until ECR takes no more.
// It is not called before the revision that found them has its name. A name
// whose record another job has made meanwhile gets its tag again.
//
// Calls for each image: one BatchDeleteImage for each hundred names, and one
// BatchGetImage.
func RemoveDead(ctx context.Context, clients registry.Clients, dead []DeadNames) error {
	errs := make([]error, len(dead))
	var g errgroup.Group
	g.SetLimit(registry.MaxCalls)
	for i, d := range dead {
		g.Go(func() error {
			errs[i] = d.remove(ctx, clients(d.Repository.Region))
			return nil
		})
	}
	_ = g.Wait() // its goroutines keep their errors in errs
	return errors.Join(errs...)
}

func (d DeadNames) remove(ctx context.Context, client tags.Client) error {
	for names := range slices.Chunk(d.Names, manifests.MaxIDs) {
		_, err := client.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{
			RegistryId: d.Repository.RegistryID(), RepositoryName: aws.String(d.Repository.Name), ImageIds: manifests.IDs(names),
		})
		if err != nil {
			return fmt.Errorf("removing names of expired revisions from %s: %w", imageOf(d.Repository, d.Digest), err)
		}
	}
	return d.revive(ctx, client)
}

// revive gives the names back whose revision has a record.
func (d DeadNames) revive(ctx context.Context, client tags.Client) error {
	ids := append(recordsOf(d.Names), d.Digest)
	read, err := manifests.Get(ctx, client, d.Repository, manifests.IDs(ids))
	if err != nil {
		return err
	}
	s := newSnapshot(nil, nil)
	s.add(d.Repository.Ref, read.Images)
	image, ok := s.ByDigest(d.Repository.Ref, d.Digest)
	for _, n := range d.Names {
		if _, of, recorded := s.Record(d.Repository.Ref, n); ok && recorded && of == d.Digest {
			err = errors.Join(err, tags.Put(ctx, client, d.Repository, n, image))
		}
	}
	return err
}
