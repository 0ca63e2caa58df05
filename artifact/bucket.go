package artifact

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// bucketReader is the part of the S3 client that LookAt uses.
type bucketReader interface {
	HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
	GetBucketVersioning(context.Context, *s3.GetBucketVersioningInput, ...func(*s3.Options)) (*s3.GetBucketVersioningOutput, error)
}

// Bucket is the state of a bucket.
type Bucket struct {
	// Versioned reports whether the bucket keeps the versions of each object.
	Versioned bool
	// Unseen is the reason why Versioned is not known; nil if it is known.
	Unseen error
}

// BucketError is a bucket that cannot be used. S3 answers a HEAD without a body,
// so the status is all there is.
type BucketError struct {
	Name string
	// Status is the HTTP status: 404 if there is no such bucket, 403 if the caller
	// may not read it, 301 or 400 if it is in another region.
	Status int
	// Region is the bucket's region, if S3 reported it.
	Region string
	Err    error
}

// Error explains the status.
func (e *BucketError) Error() string {
	switch e.Status {
	case http.StatusNotFound:
		return fmt.Sprintf("bucket %s does not exist", e.Name)
	case http.StatusForbidden:
		return fmt.Sprintf("access to bucket %s is denied", e.Name)
	case http.StatusMovedPermanently:
		return fmt.Sprintf("bucket %s is in another region: %s", e.Name, e.Region)
	default:
		return fmt.Sprintf("reading bucket %s: %v", e.Name, e.Err)
	}
}

// Unwrap returns the error of the S3 client.
func (e *BucketError) Unwrap() error { return e.Err }

// Hint returns the remedy.
func (e *BucketError) Hint() string {
	switch e.Status {
	case http.StatusNotFound:
		return "create the bucket (aws s3api create-bucket), or correct its name"
	case http.StatusForbidden:
		return "allow s3:GetBucketVersioning on the bucket for this check; an upload needs only s3:PutObject"
	case http.StatusMovedPermanently:
		return "use a bucket in the region of the build, or give that region"
	default:
		return ""
	}
}

// LookAt reads whether a bucket exists and keeps versions, which CodePipeline
// requires of a source ("Amazon S3 source action" in its user guide). For a caller
// who may not list the whole bucket, its versioning alone is the answer. Errors
// are *BucketError.
func LookAt(ctx context.Context, client bucketReader, bucket string) (Bucket, error) {
	_, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(bucket)})
	refused := bucketError(bucket, err)
	if refused != nil && refused.Status != http.StatusForbidden {
		return Bucket{}, refused
	}
	out, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String(bucket)})
	switch {
	case err != nil && refused != nil:
		return Bucket{}, refused
	case err != nil:
		return Bucket{Unseen: err}, nil
	default:
		return Bucket{Versioned: out.Status == types.BucketVersioningStatusEnabled}, nil
	}
}

// bucketError returns the error of a HEAD of a bucket, or nil if it succeeded.
func bucketError(bucket string, err error) *BucketError {
	if err == nil {
		return nil
	}
	e := &BucketError{Name: bucket, Err: err}
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		e.Status, e.Region = answer.HTTPStatusCode(), answer.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return e
}
