// Package referrers keeps the recorded inputs of an image as an OCI artifact
// whose subject is the image, in the repository of the image ("Guidelines for
// artifact usage" in the OCI image specification).
//
// It uses the ECR API alone, with the permissions of a push and a pull. ECR's
// lifecycle policies delete an artifact within a day after its subject was
// deleted ("Automate the cleanup of images by using lifecycle policies" in the
// ECR user guide).
package referrers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/registry"
)

// ArtifactType is the type of an artifact with recorded inputs. It has one layer,
// compressed JSON.
const ArtifactType = "application/vnd.slipway.inputs.v1+json"

const layerType = ArtifactType + "+gzip"

// layerAnnotation is the annotation of an artifact with the digest of its layer:
// a list of artifacts has it, so that the manifest need not be read.
const layerAnnotation = "build.slipway.inputs.layer"

// writer is the part of ECR that Write needs.
type writer interface {
	InitiateLayerUpload(context.Context, *ecr.InitiateLayerUploadInput, ...func(*ecr.Options)) (*ecr.InitiateLayerUploadOutput, error)
	UploadLayerPart(context.Context, *ecr.UploadLayerPartInput, ...func(*ecr.Options)) (*ecr.UploadLayerPartOutput, error)
	CompleteLayerUpload(context.Context, *ecr.CompleteLayerUploadInput, ...func(*ecr.Options)) (*ecr.CompleteLayerUploadOutput, error)
	PutImage(context.Context, *ecr.PutImageInput, ...func(*ecr.Options)) (*ecr.PutImageOutput, error)
}

// Upload stores a document, at most 20 MB, for an artifact that Write makes later. The
// configuration is the same empty one in each artifact: first says that the
// repository may have none yet.
//
// Calls, one after the other: InitiateLayerUpload, UploadLayerPart and
// CompleteLayerUpload; if first, all three once more at the same time.
func Upload(ctx context.Context, client writer, repo registry.Repository, document []byte, first bool) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return upload(ctx, client, repo, document) })
	if first {
		g.Go(func() error { return upload(ctx, client, repo, ocispecs.DescriptorEmptyJSON.Data) })
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("uploading to %s: %w", repo.Name, err)
	}
	return nil
}

// Write stores a document as an artifact of an image that is in the repository, and
// returns the digest of the artifact. The same document for the same image has the
// same digest, and may be written again.
//
// Calls: PutImage; if the document or the configuration is not there, the calls of
// Upload and another PutImage.
func Write(ctx context.Context, client writer, repo registry.Repository, subject ocispecs.Descriptor, document []byte) (string, error) {
	manifest, err := json.Marshal(manifestOf(subject, document))
	if err != nil {
		return "", err
	}
	err = put(ctx, client, repo, manifest)
	var missing *types.LayersNotFoundException
	if errors.As(err, &missing) {
		if err := Upload(ctx, client, repo, document, true); err != nil {
			return "", err
		}
		err = put(ctx, client, repo, manifest)
	}
	if err != nil {
		return "", fmt.Errorf("putting an artifact into %s: %w", repo.Name, err)
	}
	return digest.FromBytes(manifest).String(), nil
}

// manifestOf is the manifest of an artifact.
func manifestOf(subject ocispecs.Descriptor, document []byte) ocispecs.Manifest {
	empty := ocispecs.DescriptorEmptyJSON
	empty.Data = nil
	layer := ocispecs.Descriptor{MediaType: layerType, Digest: digest.FromBytes(document), Size: int64(len(document))}
	return ocispecs.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispecs.MediaTypeImageManifest,
		ArtifactType: ArtifactType, Config: empty, Layers: []ocispecs.Descriptor{layer}, Subject: &subject,
		Annotations: map[string]string{layerAnnotation: layer.Digest.String()},
	}
}

// upload stores a blob in one part. A call that is repeated, since its answer was
// lost, finds that the part or the upload is done; the next call finds out if that
// is not so.
func upload(ctx context.Context, client writer, repo registry.Repository, data []byte) error {
	registryID, name := repo.RegistryID(), aws.String(repo.Name)
	started, err := client.InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RegistryId: registryID, RepositoryName: name})
	if err == nil && aws.ToString(started.UploadId) == "" {
		err = awsclient.Incomplete("ECR", "InitiateLayerUpload", "the id of the upload")
	}
	if err != nil {
		return err
	}
	_, err = client.UploadLayerPart(ctx, &ecr.UploadLayerPartInput{
		RegistryId: registryID, RepositoryName: name, UploadId: started.UploadId,
		PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(int64(len(data)) - 1), LayerPartBlob: data,
	})
	var stored *types.InvalidLayerPartException
	if err != nil && !errors.As(err, &stored) {
		return err
	}
	_, err = client.CompleteLayerUpload(ctx, &ecr.CompleteLayerUploadInput{
		RegistryId: registryID, RepositoryName: name, UploadId: started.UploadId,
		LayerDigests: []string{digest.FromBytes(data).String()},
	})
	var there *types.LayerAlreadyExistsException
	var done *types.UploadNotFoundException
	if errors.As(err, &there) || errors.As(err, &done) {
		return nil
	}
	return err
}

// put stores a manifest without a tag.
func put(ctx context.Context, client writer, repo registry.Repository, manifest []byte) error {
	_, err := client.PutImage(ctx, &ecr.PutImageInput{
		RegistryId: repo.RegistryID(), RepositoryName: aws.String(repo.Name),
		ImageManifest: aws.String(string(manifest)), ImageManifestMediaType: aws.String(ocispecs.MediaTypeImageManifest),
		ImageDigest: aws.String(digest.FromBytes(manifest).String()),
	})
	var there *types.ImageAlreadyExistsException
	if errors.As(err, &there) {
		return nil
	}
	return err
}
