package cmd

import (
	"context"
	"errors"
	"net/http"

	"slipway/artifact"
)

// checkArtifact looks at the bucket that the definitions go to.
func (d *doctor) checkArtifact(ctx context.Context) []finding {
	loc, err := artifact.ParseS3URL(d.options.Artifact)
	if err != nil {
		return nil // said of the settings
	}
	c, err := d.cloud()
	if err != nil {
		return []finding{broken(err)}
	}
	bucket, err := artifact.LookAt(ctx, c.S3(), loc.Bucket)
	return []finding{bucketFinding(bucket, err).of(loc.String())}
}

func bucketFinding(b artifact.Bucket, err error) finding {
	var bad *artifact.BucketError
	switch {
	case errors.As(err, &bad) && bad.Status == http.StatusForbidden:
		// Uploading needs another permission than looking.
		return unchecked(bad.Hint(), "%v", bad)
	case err != nil:
		return broken(refused(err))
	case b.Unseen != nil:
		return unchecked("allow s3:GetBucketVersioning on it", "the bucket is there; whether it keeps versions is not known: %v", b.Unseen)
	case !b.Versioned:
		return warned("aws s3api put-bucket-versioning --versioning-configuration Status=Enabled --bucket NAME", "the bucket keeps no versions: CodePipeline takes no source from it")
	default:
		return fine("the bucket is there and keeps versions")
	}
}
