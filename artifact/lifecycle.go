package artifact

//lint:file-ignore SA1019 buckets with rules in the deprecated form must be served too

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// maxRuleID is the length of a rule's id in characters, from LifecycleRule in
// the S3 API reference.
const maxRuleID = 255

// RetentionRuleID is the id of Slipway's lifecycle rule for a prefix. There is
// one for each prefix; a prefix that would make the id too long is hashed.
func RetentionRuleID(prefix string) string {
	const id = "slipway-retention"
	if prefix == "" {
		return id
	}
	if len(id)+1+len(prefix) > maxRuleID {
		sum := sha256.Sum256([]byte(prefix))
		return id + "-sha256-" + hex.EncodeToString(sum[:])
	}
	return id + "-" + prefix
}

// MergeLifecycle returns existing with Slipway's rule for prefix, and reports
// whether that is a change. The rule removes objects and their old versions after
// days, and uploads that were never finished. All other rules stay unchanged and
// in order. Slipway's rule keeps its position, or becomes the last. existing is
// not modified.
//
// A prefix is the beginning of a key, not a folder: "build" also means
// "builder/x". An empty one means the whole bucket.
func MergeLifecycle(existing []types.LifecycleRule, prefix string, days int32) (merged []types.LifecycleRule, changed bool) {
	id := RetentionRuleID(prefix)
	isOurs := func(r types.LifecycleRule) bool { return aws.ToString(r.ID) == id }
	others := slices.DeleteFunc(slices.Clone(existing), isOurs)
	rule := retentionRule(id, prefix, days, slices.ContainsFunc(others, oldForm))

	at := slices.IndexFunc(existing, isOurs)
	if at < 0 {
		return append(others, rule), true
	}
	if len(others) == len(existing)-1 && sameRule(existing[at], rule) {
		return slices.Clone(existing), false
	}
	return slices.Insert(others, at, rule), true
}

func retentionRule(id, prefix string, days int32, old bool) types.LifecycleRule {
	r := types.LifecycleRule{
		ID:                             aws.String(id),
		Status:                         types.ExpirationStatusEnabled,
		Expiration:                     &types.LifecycleExpiration{Days: aws.Int32(days)},
		NoncurrentVersionExpiration:    &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(days)},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(days)},
	}
	if old {
		r.Prefix = aws.String(prefix)
	} else {
		r.Filter = &types.LifecycleRuleFilter{Prefix: aws.String(prefix)}
	}
	return r
}

// oldForm reports whether a rule has its prefix outside a filter. S3 answers
// "Filter element can only be used in Lifecycle V2" to a bucket's rules in
// both forms, so ours follows the others.
func oldForm(r types.LifecycleRule) bool { return r.Filter == nil && r.Prefix != nil }

// sameRule reports whether a bucket's rule has the effect of want, whichever
// form its prefix has.
func sameRule(have, want types.LifecycleRule) bool {
	return reflect.DeepEqual(plain(have), plain(want))
}

// plain returns a rule in a normal form: the prefix in a filter, without the zero
// values that S3 may add.
func plain(r types.LifecycleRule) types.LifecycleRule {
	if oldForm(r) {
		r.Filter, r.Prefix = &types.LifecycleRuleFilter{Prefix: r.Prefix}, nil
	}
	if e := r.Expiration; e != nil && !aws.ToBool(e.ExpiredObjectDeleteMarker) {
		c := *e
		c.ExpiredObjectDeleteMarker = nil
		r.Expiration = &c
	}
	if r.Filter != nil && r.Filter.Prefix == nil {
		c := *r.Filter
		c.Prefix = aws.String("")
		r.Filter = &c
	}
	return r
}
