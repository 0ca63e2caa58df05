package sandbox_test

import (
	"context"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// fetched are the parts of a returned object that are compared.
type fetched struct {
	Body, ContentType, ETag string
	Metadata                map[string]string
	Versioned               bool
}

func s3Contract() []step {
	bucket, key := aws.String("artifacts"), aws.String("shop/imagedefinitions.zip")
	put := func(ctx context.Context, side imitation, text string) (*s3.PutObjectOutput, error) {
		return side.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader(text), ContentType: aws.String("application/zip"), Metadata: map[string]string{"revision": text}})
	}
	get := func(ctx context.Context, side imitation, in s3.GetObjectInput) (any, error) {
		in.Bucket = bucket
		out, err := side.s3.GetObject(ctx, &in)
		if err != nil {
			return nil, err
		}
		defer out.Body.Close()
		body, err := io.ReadAll(out.Body)
		return fetched{string(body), aws.ToString(out.ContentType), aws.ToString(out.ETag), out.Metadata, out.VersionId != nil}, err
	}
	var versions = map[string]string{} // the first version by side
	return []step{
		{name: "head missing bucket", call: func(ctx context.Context, side imitation) (any, error) {
			return side.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket})
		}},
		{name: "put into missing bucket", call: func(ctx context.Context, side imitation) (any, error) { return put(ctx, side, "zero") }},
		{name: "create bucket", call: func(ctx context.Context, side imitation) (any, error) {
			_, err := side.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket})
			return nil, err
		}},
		{name: "head bucket", call: func(ctx context.Context, side imitation) (any, error) {
			_, err := side.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket})
			return nil, err
		}},
		{name: "no versioning", call: func(ctx context.Context, side imitation) (any, error) {
			return side.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bucket})
		}},
		{name: "put versioning", call: func(ctx context.Context, side imitation) (any, error) {
			return side.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
		}},
		{name: "get versioning", call: func(ctx context.Context, side imitation) (any, error) {
			return side.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bucket})
		}},
		{name: "put object", call: func(ctx context.Context, side imitation) (any, error) {
			out, err := put(ctx, side, "first")
			if err != nil {
				return nil, err
			}
			versions[side.url] = aws.ToString(out.VersionId)
			return map[string]any{"ETag": out.ETag, "Versioned": out.VersionId != nil}, nil
		}},
		{name: "put object again", call: func(ctx context.Context, side imitation) (any, error) {
			_, err := put(ctx, side, "second")
			return nil, err
		}},
		{name: "get object", call: func(ctx context.Context, side imitation) (any, error) {
			return get(ctx, side, s3.GetObjectInput{Key: key})
		}},
		{name: "get first version", call: func(ctx context.Context, side imitation) (any, error) {
			return get(ctx, side, s3.GetObjectInput{Key: key, VersionId: aws.String(versions[side.url])})
		}},
		{name: "get a range", call: func(ctx context.Context, side imitation) (any, error) {
			return get(ctx, side, s3.GetObjectInput{Key: key, Range: aws.String("bytes=2-4")})
		}},
		{name: "get missing object", call: func(ctx context.Context, side imitation) (any, error) {
			return get(ctx, side, s3.GetObjectInput{Key: aws.String("none")})
		}},
		{name: "head object", call: func(ctx context.Context, side imitation) (any, error) {
			out, err := side.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
			if err != nil {
				return nil, err
			}
			return map[string]any{"Length": out.ContentLength, "Type": out.ContentType, "ETag": out.ETag, "Metadata": out.Metadata}, nil
		}},
		{name: "head missing object", call: func(ctx context.Context, side imitation) (any, error) {
			return side.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("none")})
		}},
		{name: "put only if new", call: func(ctx context.Context, side imitation) (any, error) {
			return side.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("third"), IfNoneMatch: aws.String("*")})
		}},
		{name: "list objects", call: func(ctx context.Context, side imitation) (any, error) {
			out, err := side.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("shop/")})
			if err != nil {
				return nil, err
			}
			return map[string]any{"Contents": out.Contents, "KeyCount": out.KeyCount, "IsTruncated": out.IsTruncated}, nil
		}},
		{name: "no lifecycle", call: func(ctx context.Context, side imitation) (any, error) {
			return side.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
		}},
		{name: "put lifecycle", call: func(ctx context.Context, side imitation) (any, error) {
			_, err := side.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
				ID: aws.String("seven"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("shop/")},
				Expiration: &types.LifecycleExpiration{Days: aws.Int32(7)}, NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(7)},
			}}}})
			return nil, err
		}},
		{name: "get lifecycle", call: func(ctx context.Context, side imitation) (any, error) {
			return side.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
		}},
		{name: "delete object", call: func(ctx context.Context, side imitation) (any, error) {
			out, err := side.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key})
			if err != nil {
				return nil, err
			}
			return map[string]any{"DeleteMarker": out.DeleteMarker}, nil
		}},
		{name: "get deleted object", call: func(ctx context.Context, side imitation) (any, error) {
			return get(ctx, side, s3.GetObjectInput{Key: key})
		}},
		{name: "delete bucket with objects", call: func(ctx context.Context, side imitation) (any, error) {
			_, err := side.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
			return nil, err
		}},
	}
}

var s3Differences = []difference{
	{"list objects", "Contents[].StorageClass", "gofakes3, which the sandbox's S3 is, does not list it; nothing of Slipway's reads it"},
}
