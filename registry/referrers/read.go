package referrers

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"slipway/registry"
	"slipway/registry/blobs"
)

// Artifact is an artifact that refers to an image.
type Artifact struct {
	// Digest is that of its manifest, and layer that of its document.
	Digest string
	layer  digest.Digest
}

// lister is the part of ECR that List needs.
type lister interface {
	ListImageReferrers(context.Context, *ecr.ListImageReferrersInput, ...func(*ecr.Options)) (*ecr.ListImageReferrersOutput, error)
}

// maxReferrers is the number of artifacts on one page (maxResults of
// ListImageReferrers in the ECR API reference).
const maxReferrers = 50

// List returns the artifacts with recorded inputs of an image, the first fifty
// if there are more. Calls: one ListImageReferrers, for which IAM asks for
// ecr:BatchGetImage.
func List(ctx context.Context, client lister, repo registry.Repository, subject string) ([]Artifact, error) {
	out, err := client.ListImageReferrers(ctx, &ecr.ListImageReferrersInput{
		RegistryId: repo.RegistryID(), RepositoryName: aws.String(repo.Name), MaxResults: aws.Int32(maxReferrers),
		SubjectId: &types.SubjectIdentifier{ImageDigest: aws.String(subject)},
		Filter:    &types.ListImageReferrersFilter{ArtifactTypes: []string{ArtifactType}},
	})
	if err != nil {
		return nil, fmt.Errorf("listing the artifacts of an image in %s: %w", repo.Name, err)
	}
	var found []Artifact
	for _, r := range out.Referrers {
		layer, err := digest.Parse(r.Annotations[layerAnnotation])
		if err == nil && aws.ToString(r.ArtifactType) == ArtifactType {
			found = append(found, Artifact{aws.ToString(r.Digest), layer})
		}
	}
	return found, nil
}

// maxDocument is the size of the largest document that Read returns, in bytes.
const maxDocument = 8 << 20

// Read returns the document of an artifact. Calls: those of blobs.Read.
func Read(ctx context.Context, client blobs.Reader, repo registry.Repository, a Artifact) ([]byte, error) {
	data, err := blobs.Read(ctx, client, repo, a.layer, maxDocument)
	if err != nil {
		return nil, fmt.Errorf("reading an artifact in %s: %w", repo.Name, err)
	}
	return data, nil
}

// deleter is the part of ECR that Delete needs.
type deleter interface {
	BatchDeleteImage(context.Context, *ecr.BatchDeleteImageInput, ...func(*ecr.Options)) (*ecr.BatchDeleteImageOutput, error)
}

// Delete deletes artifacts, at most a hundred. Those that are gone already
// are not reported. Calls: one BatchDeleteImage.
func Delete(ctx context.Context, client deleter, repo registry.Repository, artifacts []Artifact) error {
	var ids []types.ImageIdentifier
	for _, a := range artifacts {
		ids = append(ids, types.ImageIdentifier{ImageDigest: aws.String(a.Digest)})
	}
	_, err := client.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RegistryId: repo.RegistryID(), RepositoryName: aws.String(repo.Name), ImageIds: ids})
	if err != nil {
		return fmt.Errorf("deleting artifacts in %s: %w", repo.Name, err)
	}
	return nil
}
