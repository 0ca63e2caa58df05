package artifact

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"slipway/internal/awsclient"
)

// maxRules is how many lifecycle rules a bucket takes, from "Setting lifecycle
// configuration on a bucket" in the S3 user guide.
const maxRules = 1000

type bucketLifecycleAPI interface {
	GetBucketLifecycleConfiguration(context.Context, *s3.GetBucketLifecycleConfigurationInput, ...func(*s3.Options)) (*s3.GetBucketLifecycleConfigurationOutput, error)
	PutBucketLifecycleConfiguration(context.Context, *s3.PutBucketLifecycleConfigurationInput, ...func(*s3.Options)) (*s3.PutBucketLifecycleConfigurationOutput, error)
}

// ApplyBucketRetention lets objects in bucket whose key begins with prefix expire
// after some days, and leaves the bucket's other rules unchanged. It writes to
// the bucket only if that changes something, and never in a dry run. It reports
// whether something changes, and returns the ids of all rules that the bucket
// then has, in order. RetentionRuleID returns the id of Slipway's rule.
//
// S3 cannot change a single rule: two concurrent callers can overwrite each
// other. Errors of the SDK are wrapped.
func ApplyBucketRetention(ctx context.Context, api bucketLifecycleAPI, bucket, prefix string, days int32, dryRun bool) (changed bool, ruleIDs []string, err error) {
	if days < 1 {
		return false, nil, fmt.Errorf("retention of %d days is below 1", days)
	}
	now, err := lifecycle(ctx, api, bucket)
	if err != nil {
		return false, nil, fmt.Errorf("reading the lifecycle rules of bucket %q: %w", bucket, err)
	}
	rules, changed := MergeLifecycle(now.Rules, prefix, days)
	if len(rules) > maxRules {
		return false, nil, fmt.Errorf("bucket %q would have %d lifecycle rules, more than %d", bucket, len(rules), maxRules)
	}
	if changed && !dryRun {
		_, err := api.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
			Bucket:                 aws.String(bucket),
			LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
			// Left out, S3 would put its default in place of the bucket's own.
			TransitionDefaultMinimumObjectSize: now.TransitionDefaultMinimumObjectSize,
		})
		if err != nil {
			return false, nil, fmt.Errorf("writing the lifecycle rules of bucket %q: %w", bucket, err)
		}
	}
	for _, r := range rules {
		ruleIDs = append(ruleIDs, aws.ToString(r.ID))
	}
	return changed, ruleIDs, nil
}

// lifecycle returns the bucket's rules, none if it never had one.
func lifecycle(ctx context.Context, api bucketLifecycleAPI, bucket string) (*s3.GetBucketLifecycleConfigurationOutput, error) {
	out, err := api.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String(bucket)})
	var answer smithy.APIError
	if errors.As(err, &answer) && answer.ErrorCode() == "NoSuchLifecycleConfiguration" {
		return &s3.GetBucketLifecycleConfigurationOutput{}, nil
	}
	if err == nil && len(out.Rules) == 0 {
		// A bucket without rules has no configuration. Taken at its word, the rules of
		// others would be overwritten.
		return nil, awsclient.Incomplete("S3", "GetBucketLifecycleConfiguration", "the rules of bucket "+bucket)
	}
	return out, err
}

// bucketLister is the part of the S3 client that reads a prefix and its rules.
type bucketLister interface {
	bucketLifecycleAPI
	ListObjectVersions(context.Context, *s3.ListObjectVersionsInput, ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error)
}

// BucketRetention is the effect that ApplyBucketRetention would have.
type BucketRetention struct {
	Location S3Location
	// Changed reports whether the bucket's rules would change.
	Changed bool
	// Objects counts the objects and old versions under the prefix, up to maxObjects,
	// where the prefix has no rule of Slipway's yet; 0 where it has.
	Objects int
	// Newest are these objects, the last written first.
	Newest []Object
}

// Object is an object, or an old version of one, in a bucket.
type Object struct {
	Key      string
	Modified time.Time
}

// Count returns the number of objects in words.
func (b BucketRetention) Count() string {
	if b.Objects >= maxObjects {
		return fmt.Sprintf("%d objects or more", maxObjects)
	}
	if b.Objects == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", b.Objects)
}

// maxObjects is how many objects are counted: ten pages of a listing (ListObjectVersions in
// the S3 API reference).
const maxObjects = 10000

// ReadBucketRetention returns the changes that ApplyBucketRetention would make,
// and the objects that the rule would apply to for the first time. It writes
// nothing. Errors of the SDK are wrapped.
func ReadBucketRetention(ctx context.Context, api bucketLister, loc S3Location, days int32) (BucketRetention, error) {
	out := BucketRetention{Location: loc}
	changed, _, err := ApplyBucketRetention(ctx, api, loc.Bucket, loc.Key, days, true)
	if err != nil || !changed {
		return out, err
	}
	out.Changed = true
	now, err := lifecycle(ctx, api, loc.Bucket)
	if err != nil {
		return out, fmt.Errorf("reading the lifecycle rules of bucket %q: %w", loc.Bucket, err)
	}
	if slices.ContainsFunc(now.Rules, func(r types.LifecycleRule) bool { return aws.ToString(r.ID) == RetentionRuleID(loc.Key) }) {
		return out, nil
	}
	return out, out.count(ctx, api)
}

// count lists the objects and their old versions.
func (b *BucketRetention) count(ctx context.Context, api bucketLister) error {
	in := &s3.ListObjectVersionsInput{Bucket: aws.String(b.Location.Bucket), Prefix: aws.String(b.Location.Key)}
	err := awsclient.EachPage("S3 ListObjectVersions", func(*string) (*string, error) {
		page, err := api.ListObjectVersions(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Versions {
			b.Newest = append(b.Newest, Object{aws.ToString(v.Key), aws.ToTime(v.LastModified)})
		}
		if !aws.ToBool(page.IsTruncated) || len(b.Newest) >= maxObjects {
			return nil, nil
		}
		// The list goes on at a key and a version of it.
		in.KeyMarker, in.VersionIdMarker = page.NextKeyMarker, page.NextVersionIdMarker
		return aws.String(aws.ToString(in.KeyMarker) + "\x00" + aws.ToString(in.VersionIdMarker)), nil
	})
	if err != nil {
		return fmt.Errorf("listing the objects of %s: %w", b.Location, err)
	}
	b.Objects = len(b.Newest)
	slices.SortStableFunc(b.Newest, func(x, y Object) int { return y.Modified.Compare(x.Modified) })
	return nil
}
