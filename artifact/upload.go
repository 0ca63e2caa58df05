package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slipway/internal/awsclient"
)

type putObjectAPI interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// Upload uploads body to loc and returns its version, empty in a bucket that
// keeps no versions. S3 checks the body against its SHA-256. Errors of the SDK are
// wrapped. A key that ends in a slash is an *S3URLError.
func Upload(ctx context.Context, api putObjectAPI, loc S3Location, body []byte, contentType string) (versionID string, err error) {
	if strings.HasSuffix(loc.Key, "/") {
		return "", &S3URLError{loc.String(), "it names a folder, not a file"}
	}
	sum := sha256.Sum256(body)
	out, err := api.PutObject(ctx, &s3.PutObjectInput{
		Bucket:         aws.String(loc.Bucket),
		Key:            aws.String(loc.Key),
		Body:           bytes.NewReader(body),
		ContentLength:  aws.Int64(int64(len(body))),
		ContentType:    aws.String(contentType),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	})
	if err == nil && aws.ToString(out.ETag) == "" {
		err = awsclient.Incomplete("S3", "PutObject", "the entity tag of the object")
	}
	if err != nil {
		return "", fmt.Errorf("uploading %s: %w", loc, err)
	}
	return aws.ToString(out.VersionId), nil
}
