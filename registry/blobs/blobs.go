// Package blobs reads layers and configurations of images by the ECR API alone.
package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/opencontainers/go-digest"

	"slipway/internal/awsclient"
	"slipway/registry"
)

// Reader is the part of ECR that Read needs.
type Reader interface {
	GetDownloadUrlForLayer(context.Context, *ecr.GetDownloadUrlForLayerInput, ...func(*ecr.Options)) (*ecr.GetDownloadUrlForLayerOutput, error)
}

// Read returns the blob of a digest, of at most limit bytes. A larger one is an
// error, and so is one with another digest. Calls: one GetDownloadUrlForLayer,
// and one GET of the address that it returns.
func Read(ctx context.Context, client Reader, repo registry.Repository, blob digest.Digest, limit int64) ([]byte, error) {
	out, err := client.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{
		RegistryId: repo.RegistryID(), RepositoryName: aws.String(repo.Name), LayerDigest: aws.String(blob.String()),
	})
	if err != nil {
		return nil, err
	}
	if aws.ToString(out.DownloadUrl) == "" {
		return nil, awsclient.Incomplete("ECR", "GetDownloadUrlForLayer", "the address")
	}
	data, err := download(ctx, *out.DownloadUrl, limit)
	if err == nil && blob.Algorithm().FromBytes(data) != blob {
		err = errors.New("its content does not have the digest")
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// download returns the content at a signed address, which stays out of errors.
func download(ctx context.Context, address string, limit int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, errors.New("the address is not valid")
	}
	resp, err := http.DefaultClient.Do(r)
	var failed *url.Error
	if errors.As(err, &failed) {
		return nil, failed.Err
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer has status %s", resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it has more than %s", size(limit))
	}
	return data, err
}

// size returns a number of bytes that is a power of two, in MiB or KiB.
func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
