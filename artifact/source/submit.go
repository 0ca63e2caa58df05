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

// The names of what Submit puts into an object's metadata.
const (
	metaContent = "slipway-content"
	metaDigest  = "slipway-sha256"
)

const (
	// partSize is that of a part, and above it an upload has parts. With
	// uploadParts of them at once this is what of an archive is in memory.
	partSize    = 8 << 20
	uploadParts = 4
	// abortTime is what giving an upload up may take after an interrupt.
	abortTime = 10 * time.Second
)

// Submission is what Submit found or did.
type Submission struct {
	// VersionID is the object's version, empty in a bucket that keeps none.
	VersionID string
	// Changed is false if the object there had the content already.
	Changed bool
	// Unseen is why the object there could not be looked at, so that the
	// archive was uploaded without comparing; nil if it could.
	Unseen error
}

// Submit puts an archive at loc unless the object there holds the same content:
// one HeadObject, and then nothing, one PutObject, or above 8 MiB a multipart
// upload that is given up if it fails or ctx ends. The object changes only when
// all of it is there.
//
// progress, if not nil, gets the bytes that arrived, never from two goroutines
// at once. A key that ends in a slash is an *S3URLError; what the SDK answers
// is wrapped. Who may read the object but not list the bucket is refused where
// nothing is yet: then the archive is uploaded, and Unseen tells it.
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

// head is nil where there is no object, and unseen says why it cannot be told.
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

// version is an id as S3 gives it, where "null" stands for none ("Working with
// objects in a versioning-suspended bucket" in the S3 user guide).
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

// arrivals puts the news of parts that arrive at the same time in order.
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
