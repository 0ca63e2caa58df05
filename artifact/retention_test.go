package artifact

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"slipway/internal/awsclient"
	"slipway/internal/golden"
)

func TestApplyBucketRetention(t *testing.T) {
	b, client := newBucket(t)
	apply := func(prefix string, days int32, dryRun, wantChange bool, wantPuts int, wantIDs ...string) {
		t.Helper()
		changed, ids, err := ApplyBucketRetention(t.Context(), client, "bucket", prefix, days, dryRun)
		if err != nil || changed != wantChange || !slices.Equal(ids, wantIDs) || b.puts != wantPuts {
			t.Errorf("got %v, %q, %v after %d puts", changed, ids, err, b.puts)
		}
	}
	const build, other = "slipway-retention-build/", "slipway-retention-other/"
	apply("build/", 7, true, true, 0, build)
	apply("build/", 7, false, true, 1, build)
	golden.Check(t, "lifecycle.golden", []byte(b.lifecycle))
	apply("build/", 7, false, false, 1, build)
	apply("other/", 7, false, true, 2, build, other)
	apply("build/", 30, true, true, 2, build, other)
	apply("build/", 30, false, true, 3, build, other)
	apply("other/", 7, false, false, 3, build, other)
}

// TestRetentionKeepsOtherRules goes through the client both ways, so that what
// S3's XML says and the client leaves out would show.
func TestRetentionKeepsOtherRules(t *testing.T) {
	for _, file := range []string{"rules-filter", "rules-prefix"} {
		t.Run(file, func(t *testing.T) {
			rules, err := os.ReadFile("testdata/" + file + ".xml")
			must(t, err)
			b, client := newBucket(t)
			b.lifecycle, b.minSize = string(rules), "varies_by_storage_class"
			changed, ids, err := ApplyBucketRetention(t.Context(), client, "bucket", "build/", 7, false)
			if err != nil || !changed || ids[len(ids)-1] != "slipway-retention-build/" {
				t.Fatalf("got %v, %q, %v, want a change and Slipway's rule last", changed, ids, err)
			}
			if b.minSize != "varies_by_storage_class" {
				t.Errorf("the minimum object size is now %q", b.minSize)
			}
			golden.Check(t, file+".golden", []byte(strings.ReplaceAll(b.lifecycle, "<Rule>", "\n<Rule>")))
		})
	}
}

func TestRetentionErrors(t *testing.T) {
	b, client := newBucket(t)
	if _, _, err := ApplyBucketRetention(t.Context(), client, "bucket", "", 0, false); err == nil {
		t.Error("0 days: no error")
	}
	b.lifecycle = "<LifecycleConfiguration>" + strings.Repeat("<Rule><ID>x</ID><Status>Enabled</Status></Rule>", maxRules) + "</LifecycleConfiguration>"
	_, _, err := ApplyBucketRetention(t.Context(), client, "bucket", "", 7, false)
	if err == nil || !strings.Contains(err.Error(), "1001 lifecycle rules") {
		t.Errorf("too many rules: got %v", err)
	}
	b.refuse = "AccessDenied"
	_, _, err = ApplyBucketRetention(t.Context(), client, "bucket", "", 7, false)
	var answer smithy.APIError
	if !errors.As(err, &answer) || answer.ErrorCode() != "AccessDenied" || !strings.Contains(err.Error(), `"bucket"`) {
		t.Errorf("got %v, want AccessDenied of the bucket", err)
	}
	if b.puts != 0 {
		t.Errorf("%d puts, want 0", b.puts)
	}
}

// TestRetentionHollowAnswer is an answer without any rule, as no bucket has it: to write
// would drop the rules of others.
func TestRetentionHollowAnswer(t *testing.T) {
	b, client := newBucket(t)
	b.lifecycle = "<LifecycleConfiguration></LifecycleConfiguration>"
	_, _, err := ApplyBucketRetention(t.Context(), client, "bucket", "build/", 7, false)
	var partial *awsclient.IncompleteError
	if !errors.As(err, &partial) || b.puts != 0 {
		t.Errorf("got %v after %d puts", err, b.puts)
	}
}

// endless answers ListObjectVersions with pages of deletions, of which the last never
// comes.
type endless struct {
	bucketLister
	asked int
}

func (e *endless) ListObjectVersions(context.Context, *s3.ListObjectVersionsInput, ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error) {
	e.asked++
	return &s3.ListObjectVersionsOutput{
		DeleteMarkers: []types.DeleteMarkerEntry{{Key: aws.String("build/a")}}, IsTruncated: aws.Bool(true),
		NextKeyMarker: aws.String("build/a"), NextVersionIdMarker: aws.String(strings.Repeat("v", e.asked)),
	}, nil
}

func TestBucketRetentionOfAListWithoutEnd(t *testing.T) {
	var pages *awsclient.PagesError
	api := &endless{}
	b := BucketRetention{Location: S3Location{Bucket: "bucket", Key: "build/"}}
	if err := b.count(t.Context(), api); !errors.As(err, &pages) || api.asked != awsclient.MaxPages {
		t.Errorf("count: got %v after %d pages, want a *PagesError after %d", err, api.asked, awsclient.MaxPages)
	}
}
