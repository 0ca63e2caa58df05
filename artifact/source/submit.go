package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"slipway/artifact"
	"slipway/internal/awsclient"
)

type headObjectAPI interface {
	HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
}

// The names of the metadata that Submit adds to an object.
const (
	metaContent = "slipway-content"
	metaDigest  = "slipway-sha256"
)

const (
	// partSize is the size of a part, and above it an upload has parts. uploadParts
	// of them are in memory at the same time.
	partSize    = 8 << 20
	uploadParts = 4
	// abortTime is the time limit for aborting an upload after an interrupt.
	abortTime = 10 * time.Second
)

// Submission is the result of Submit.
type Submission struct {
	// VersionID is the object's version, empty in a bucket that keeps no versions.
	VersionID string
	// Changed reports whether the object's content changed.
	Changed bool
	// Unseen is the reason why the existing object could not be read, so that the
	// archive was uploaded without comparing; nil if it could.
	Unseen error
}

// Submit uploads an archive to loc unless the object there has the same content.
// It makes one HeadObject request, and then nothing, one PutObject, or above 8 MiB
// a multipart upload, which is aborted if it fails or ctx ends. The object changes
// only when all of it is uploaded.
//
// progress, if not nil, is called with the bytes that arrived, by one goroutine at
// a time. A key that ends in a slash is an *S3URLError. Errors of the SDK are
// wrapped. S3 refuses a caller who may read the object but not list the bucket if
// there is no object yet. Then the archive is uploaded, and Unseen is that error.
func Submit(ctx context.Context, api transfermanager.S3APIClient, loc artifact.S3Location, a *Archive, progress func(done int64)) (Submission, error) {
	if strings.HasSuffix(loc.Key, "/") {
		return Submission{}, &artifact.S3URLError{URL: loc.String(), Reason: "it names a folder, not a file"}
	}
	there, unseen, err := head(ctx, api, loc)
	if err != nil {
		return Submission{}, fmt.Errorf("reading %s: %w", loc, err)
	}
	if there != nil && there.Metadata[metaContent] == a.Content && a.Content != "" {
		return Submission{VersionID: version(there.VersionId)}, nil
	}
	id, err := uploadArchive(ctx, api, loc, a, progress)
	if err != nil {
		return Submission{}, fmt.Errorf("uploading %s: %w", loc, err)
	}
	return Submission{VersionID: id, Changed: true, Unseen: unseen}, nil
}

// head is nil if there is no object. unseen is the reason why that is not known.
func head(ctx context.Context, api headObjectAPI, loc artifact.S3Location) (out *s3.HeadObjectOutput, unseen, err error) {
	out, err = api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(loc.Bucket), Key: aws.String(loc.Key)})
	var answer *smithyhttp.ResponseError
	if err == nil || !errors.As(err, &answer) {
		return out, nil, err
	}
	switch answer.HTTPStatusCode() {
	case http.StatusNotFound:
		return nil, nil, nil
	case http.StatusForbidden:
		return nil, err, nil
	default:
		return nil, nil, err
	}
}

// version returns an id as S3 gives it, where "null" means no version ("Working with objects
// in a versioning-suspended bucket" in the S3 user guide).
func version(id *string) string {
	if v := aws.ToString(id); v != "null" {
		return v
	}
	return ""
}

func uploadArchive(ctx context.Context, api transfermanager.S3APIClient, loc artifact.S3Location, a *Archive, progress func(int64)) (versionID string, err error) {
	client := transfermanager.New(api, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold = partSize, partSize
		o.Concurrency = uploadParts
		o.FailTimeout = abortTime
		if progress != nil {
			o.ObjectProgressListeners.Register(&arrivals{tell: progress})
		}
	})
	out, err := client.UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket:      aws.String(loc.Bucket),
		Key:         aws.String(loc.Key),
		Body:        a.reader(),
		ContentType: aws.String("application/zip"),
		Metadata:    map[string]string{metaContent: a.Content, metaDigest: a.Digest},
	})
	if err != nil && ctx.Err() != nil {
		return "", fmt.Errorf("%w: %v", ctx.Err(), err) // giving up may leave only its own words
	}
	if err != nil {
		return "", err
	}
	if aws.ToString(out.ETag) == "" {
		return "", awsclient.Incomplete("S3", "PutObject", "the entity tag of the object")
	}
	return version(out.VersionID), nil
}

// arrivals orders the progress of parts that arrive at the same time.
type arrivals struct {
	tell func(done int64)

	mu   sync.Mutex
	most int64
}

// OnObjectBytesTransferred is called by the transfer manager.
func (a *arrivals) OnObjectBytesTransferred(_ context.Context, e *transfermanager.ObjectBytesTransferredEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.BytesTransferred > a.most {
		a.most = e.BytesTransferred
		a.tell(a.most)
	}
}
