package revisions

import (
	"context"
	"fmt"

	"slipway/registry"
)

// Promotion is a revision that is there already, about to become latest.
type Promotion struct {
	// Snapshot are the tags as Find, FindDigests or ReadTags read them: with
	// the images, and with the running digests. Read it again where a person
	// was asked in between.
	Snapshot *Snapshot
	// Name is the revision's, empty where only its digests are known.
	Name string
	// Images are the revision's, one for each repository.
	Images []RevisionImage
	// Running are the running digests, where they are known: deployed is moved
	// to them. Elsewhere the image that latest points to is taken for the
	// running one, if latest moves.
	Running map[registry.Ref]string
	// Live are the running digests by ECS service, where they are known.
	Live Live
	// KeepLatest moves only the tags of the ECS services.
	KeepLatest bool
}

// Promote moves latest to a revision, all or nothing: deployed goes to the
// running images, then latest to the revision, each step in parallel over the
// repositories. When a step fails, every tag is reverted, unless the image there
// is archived, and the error is a *PublishError; other errors come before
// anything is written, among them an *ArchivedError for images of the revision.
// Killed on the way, it leaves tags that the same call completes. SupersededBy
// and Changes of the result have the same meaning as those of Publish; Revert
// reverts them.
//
// Calls for each repository, after the snapshot's BatchGetImage: at most two
// PutImage and one DescribeImages, more only with another job at the same time.
func Promote(ctx context.Context, clients registry.Clients, p Promotion) (Published, error) {
	job := Publication{Images: p.Images, Running: p.Running, Live: p.Live, KeepLatest: p.KeepLatest}
	if err := p.check(job); err != nil {
		return Published{}, err
	}
	steps := job.latestSteps(p.Snapshot)
	if p.KeepLatest {
		steps = p.Live.steps(p.Snapshot, job.repositories())
	}
	return job.carryOut(ctx, clients, p.Snapshot, p.Name, append([][]Change{p.restoreStep()}, steps...))
}

// check keeps a caller's mistake from reaching the tags.
func (p Promotion) check(job Publication) error {
	if err := job.check(p.Snapshot); err != nil {
		return err
	}
	seen := map[registry.Ref]bool{}
	for _, i := range p.Images {
		ref := i.Repository.Ref
		if seen[ref] {
			return fmt.Errorf("repository %s has two images in one revision: its services need a repository each", i.Repository.Name)
		}
		seen[ref] = true
		if at := p.Snapshot.digestOf(ref, p.Name); at != "" && at != i.Digest {
			return fmt.Errorf("revision %s of repository %s is %s, not %s", p.Name, i.Repository.Name, at, i.Digest)
		}
	}
	return nil
}
