package sandbox_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway/internal/sandbox"
)

// ecrContract needs an image in both: the sandbox gets it by a push, since it
// takes no manifest of blobs that it does not have.
func ecrContract(t *testing.T, s *sandbox.Server) []step {
	t.Helper()
	image := randomImage(t)
	raw, err := image.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	manifest, digest, web := string(raw), digestOf(t, image), aws.String("shop/web")
	media, err := image.MediaType()
	if err != nil {
		t.Fatal(err)
	}
	put := func(ctx context.Context, side imitation, tag string) (any, error) {
		return side.ecr.PutImage(ctx, &ecr.PutImageInput{RepositoryName: web, ImageManifest: &manifest, ImageManifestMediaType: aws.String(string(media)), ImageDigest: &digest, ImageTag: &tag})
	}
	return []step{
		{name: "create repository", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: web, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}}})
		}},
		{name: "create repository again", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: web})
		}},
		{name: "create immutable repository", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.CreateRepository(ctx, &ecr.CreateRepositoryInput{
				RepositoryName: aws.String("shop/fixed"), ImageTagMutability: types.ImageTagMutabilityImmutable,
				ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true},
			})
		}},
		{name: "create repository with a bad name", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("Shop/Web")})
		}},
		{name: "describe repositories", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{*web, "shop/fixed"}})
		}},
		{name: "describe missing repository", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"shop/none"}})
		}},
		{name: "first tag", call: func(ctx context.Context, side imitation) (any, error) {
			if side.url != s.URL() {
				_, err := put(ctx, side, "one")
				return nil, err
			}
			push(t, side.registry+"/"+*web+":one", image, login(t, side.ecr))
			return nil, nil
		}},
		{name: "put image", call: func(ctx context.Context, side imitation) (any, error) { return put(ctx, side, "two") }},
		{name: "put image again", call: func(ctx context.Context, side imitation) (any, error) { return put(ctx, side, "two") }},
		{name: "put image into a missing repository", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.PutImage(ctx, &ecr.PutImageInput{RepositoryName: aws.String("shop/none"), ImageManifest: &manifest, ImageManifestMediaType: aws.String(string(media)), ImageTag: aws.String("x")})
		}},
		{name: "batch get image", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("one")}, {ImageDigest: &digest}}})
		}},
		{name: "batch get missing image", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{
				{ImageTag: aws.String("none")}, {ImageDigest: aws.String("sha256:" + strings.Repeat("0", 64))},
			}})
		}},
		{name: "describe images", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: web})
		}},
		{name: "describe missing image", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("none")}}})
		}},
		{name: "list images", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.ListImages(ctx, &ecr.ListImagesInput{RepositoryName: web})
		}},
		{name: "no lifecycle policy", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: web})
		}},
		{name: "put lifecycle policy", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: web, LifecyclePolicyText: aws.String(keepLatest)})
		}},
		{name: "get lifecycle policy", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: web})
		}},
		{name: "put bad lifecycle policy", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: web, LifecyclePolicyText: aws.String(`{"rules":[{"rulePriority":1}]}`)})
		}},
		{name: "tags", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:ecr:us-east-1:" + motoAccount + ":repository/" + *web)})
		}},
		{name: "delete repository with images", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: web})
		}},
		{name: "delete an image", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("one")}, {ImageTag: aws.String("none")}}})
		}},
		{name: "delete repository", call: func(ctx context.Context, side imitation) (any, error) {
			return side.ecr.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: web, Force: true})
		}},
	}
}

var ecrDifferences = []difference{
	{"batch get image", "Images[].ImageId.ImageTag", "asked by one tag moto answers another; the sandbox, as ECR, the one asked for, and none if asked by digest"},
	{"batch get missing image", "Failures[].ImageId.*", "moto forgets the digest that was asked for"},
	{"describe images", "ImageDetails[].ArtifactMediaType", "moto does not know it"},
	{"describe images", "ImageDetails[].ImageStatus", "moto knows no archive"},
	{"describe images", "ImageDetails[].ImageSizeInBytes", "moto counts the manifest's bytes, ECR the layers'"},
	{"put image into a missing repository", "error", "moto breaks off with a page of HTML"},
}
