package manifests

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/registry"
)

// Reader is the part of ECR that reading images needs.
type Reader interface {
	BatchGetImage(context.Context, *ecr.BatchGetImageInput, ...func(*ecr.Options)) (*ecr.BatchGetImageOutput, error)
}

// manifestTypes are the media types that are read as they are stored. Without
// naming them, ECR may translate a manifest to another type, and the digest
// with it (BatchGetImage API reference, acceptedMediaTypes).
var manifestTypes = []string{
	"application/vnd.oci.image.index.v1+json",
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.docker.distribution.manifest.v2+json",
}

// IDs returns the ids of tags and digests, each once.
func IDs(names []string) []types.ImageIdentifier {
	var ids []types.ImageIdentifier
	seen := map[string]bool{}
	for _, n := range names {
		if n == "" || seen[n] {
			continue
		}
		seen[n] = true
		if IsDigest(n) {
			ids = append(ids, types.ImageIdentifier{ImageDigest: aws.String(n)})
			continue
		}
		ids = append(ids, types.ImageIdentifier{ImageTag: aws.String(n)})
	}
	return ids
}

// IsDigest reports whether s is a digest and not a tag, which can have no
// colon.
func IsDigest(s string) bool { return len(s) > len("sha256:") && s[:len("sha256:")] == "sha256:" }

// Answer is the images of one repository at a time by ECR's clock, and those that
// cannot be read.
type Answer struct {
	Images     []types.Image
	Unreadable []*UnreadableError
	// At is the time of the answer, zero where ECR did not say.
	At time.Time
}

// Read returns images with their manifests; those that are not there are left out.
// The error may be an *UnreadableError. Calls: one BatchGetImage for each hundred.
func Read(ctx context.Context, client Reader, repo registry.Repository, ids []types.ImageIdentifier) ([]types.Image, error) {
	out, err := Get(ctx, client, repo, ids)
	if err == nil && len(out.Unreadable) > 0 {
		err = out.Unreadable[0]
	}
	return out.Images, err
}

// Get is Read that returns the images that cannot be read, too. Each hundred images
// are read at the same time.
func Get(ctx context.Context, client Reader, repo registry.Repository, ids []types.ImageIdentifier) (Answer, error) {
	chunks := slices.Collect(slices.Chunk(ids, MaxIDs))
	answers := make([]Answer, len(chunks))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(registry.MaxCalls)
	for i, chunk := range chunks {
		g.Go(func() (err error) {
			answers[i], err = getSome(ctx, client, repo, chunk)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Answer{}, err
	}
	var out Answer
	for i, a := range answers {
		out.Images = append(out.Images, a.Images...)
		out.Unreadable = append(out.Unreadable, a.Unreadable...)
		if i == 0 {
			out.At = a.At
		}
	}
	return out, nil
}

// getSome is Get of at most MaxIDs images.
func getSome(ctx context.Context, client Reader, repo registry.Repository, ids []types.ImageIdentifier) (Answer, error) {
	got, err := client.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RegistryId:         repo.Ref.RegistryID(),
		RepositoryName:     aws.String(repo.Name),
		ImageIds:           ids,
		AcceptedMediaTypes: manifestTypes,
	})
	if err != nil {
		return Answer{}, fmt.Errorf("reading images of %s: %w", repo.Name, err)
	}
	out := Answer{Images: got.Images}
	for _, f := range got.Failures {
		if f.FailureCode != types.ImageFailureCodeImageNotFound {
			out.Unreadable = append(out.Unreadable, &UnreadableError{Repository: repo, Image: Name(f.ImageId), Code: f.FailureCode, Reason: aws.ToString(f.FailureReason)})
		}
	}
	if err := answered(repo, ids, got); err != nil {
		return Answer{}, err
	}
	out.At, _ = middleware.GetServerTime(got.ResultMetadata)
	return out, nil
}

// MaxIDs is how many image ids one BatchGetImage takes (its API reference,
// imageIds).
const MaxIDs = 100

// Name returns the tag of an id, or its digest.
func Name(id *types.ImageIdentifier) string {
	if id == nil {
		return "?"
	}
	if id.ImageTag != nil {
		return *id.ImageTag
	}
	return aws.ToString(id.ImageDigest)
}

// Incomplete returns an *awsclient.IncompleteError of ECR's.
func Incomplete(operation, format string, args ...any) error {
	return awsclient.Incomplete("ECR", operation, fmt.Sprintf(format, args...))
}

// answered ensures that a BatchGetImage has every image that was asked for, or
// says why not: an image that is left out without a word would be taken for one
// that does not exist.
func answered(repo registry.Repository, asked []types.ImageIdentifier, got *ecr.BatchGetImageOutput) error {
	var seen []types.ImageIdentifier
	for _, i := range got.Images {
		if i.ImageId != nil {
			seen = append(seen, *i.ImageId)
		}
	}
	return Accounted("BatchGetImage", repo, asked, seen, got.Failures)
}

// Accounted returns an error unless each image that was asked for is among those
// seen or failed.
func Accounted(operation string, repo registry.Repository, asked, seen []types.ImageIdentifier, failed []types.ImageFailure) error {
	for _, f := range failed {
		if f.ImageId != nil {
			seen = append(seen, *f.ImageId)
		}
	}
	for _, id := range asked {
		if !slices.ContainsFunc(seen, func(s types.ImageIdentifier) bool { return sameID(id, s) }) {
			return Incomplete(operation, "image %s of %s", Name(&id), repo.Name)
		}
	}
	return nil
}

// sameID reports whether an answer is about an id: a tag by the tag, else the
// digest.
func sameID(asked, seen types.ImageIdentifier) bool {
	if asked.ImageTag != nil {
		return aws.ToString(seen.ImageTag) == *asked.ImageTag
	}
	return aws.ToString(seen.ImageDigest) == aws.ToString(asked.ImageDigest)
}
