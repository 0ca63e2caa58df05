package testkit

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/awsclient"
	"slipway/internal/sandbox"
)

// AWSConfig returns the configuration of a client of the AWS at url, in us-
// east-1. It reads nothing of the host's configuration, and a call that fails
// is not repeated.
func AWSConfig(url string) aws.Config {
	return aws.Config{
		Region:           "us-east-1",
		BaseEndpoint:     aws.String(url),
		RetryMaxAttempts: 1,
		Credentials:      credentials.NewStaticCredentialsProvider("test", "test", ""),
		APIOptions:       []func(*middleware.Stack) error{awsclient.PlainBody},
	}
}

// ECRClient returns a client of the ECR at url for a region, with AWSConfig.
func ECRClient(url, region string) *ecr.Client {
	config := AWSConfig(url)
	config.Region = region
	return ecr.NewFromConfig(config)
}

// ECRLogin returns the login of ECR's registry, from a new authorization token.
func ECRLogin(t testing.TB, client *ecr.Client) authn.Authenticator {
	t.Helper()
	out, err := client.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	return authn.FromConfig(authn.AuthConfig{Auth: *out.AuthorizationData[0].AuthorizationToken})
}

// PushImage pushes a new, small image under each of the tags, or without a tag
// if there are none, and returns its digest.
func PushImage(t testing.TB, repository name.Repository, auth authn.Authenticator, tags ...string) string {
	t.Helper()
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if len(tags) == 0 {
		err = remote.Write(repository.Digest(digest.String()), image, remote.WithAuth(auth))
	}
	for _, tag := range tags {
		err = errors.Join(err, remote.Write(repository.Tag(tag), image, remote.WithAuth(auth)))
	}
	if err != nil {
		t.Fatalf("pushing an image to %s: %v", repository, err)
	}
	return digest.String()
}

// StartS3 starts a sandbox with a versioned bucket and returns its S3 client.
func StartS3(t testing.TB, bucket string) *s3.Client {
	t.Helper()
	client := s3.NewFromConfig(AWSConfig(StartSandbox(t, sandbox.Options{}).URL()))
	if err := CreateVersionedBucket(t.Context(), client, bucket); err != nil {
		t.Fatal(err)
	}
	return client
}

// CreateVersionedBucket creates a bucket that keeps versions.
func CreateVersionedBucket(ctx context.Context, client *s3.Client, bucket string) error {
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		return err
	}
	_, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket:                  &bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	return err
}
