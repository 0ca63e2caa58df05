package doctor

import (
	"context"
	"errors"
	"net/http"

	"slipway/artifact"
	"slipway/internal/fault"
)

// checkArtifact looks at the bucket that the definitions go to.
func (d *doctor) checkArtifact(ctx context.Context) []Finding {
	loc, err := artifact.ParseS3URL(d.build.Artifact)
	if err != nil {
		return nil // said of the settings
	}
	c, err := d.cloud()
	if err != nil {
		return []Finding{broken(err)}
	}
	bucket, err := artifact.LookAt(ctx, c.S3(), loc.Bucket)
	return []Finding{bucketFinding(bucket, err).of(loc.String())}
}

func bucketFinding(b artifact.Bucket, err error) Finding {
	var bad *artifact.BucketError
	switch {
	case errors.As(err, &bad) && bad.Status == http.StatusForbidden:
		// Uploading needs another permission than looking.
		return Unchecked(bad.Hint(), "%v", bad)
	case err != nil:
		return broken(fault.As(fault.AWS, err))
	case b.Unseen != nil:
		return Unchecked("allow s3:GetBucketVersioning on it", "the bucket is there; whether it keeps versions is not known: %v", b.Unseen)
	case !b.Versioned:
		return Warned("aws s3api put-bucket-versioning --versioning-configuration Status=Enabled --bucket NAME", "the bucket keeps no versions: CodePipeline takes no source from it")
	default:
		return Fine("the bucket is there and keeps versions")
	}
}
