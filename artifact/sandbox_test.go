package artifact_test

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slipway/artifact"
	"slipway/internal/testkit"
)

// TestSandboxUpload reads an archive back at the version its upload named,
// after another one took its place.
func TestSandboxUpload(t *testing.T) {
	client := testkit.StartS3(t, "shop")
	loc := artifact.S3Location{Bucket: "shop", Key: "build/imagedefinitions.zip"}
	var versions []string
	var bodies [][]byte
	for _, content := range []string{"one", "two"} {
		body, err := artifact.Zip(map[string][]byte{"imagedefinitions.json": []byte(content)})
		if err != nil {
			t.Fatal(err)
		}
		version, err := artifact.Upload(t.Context(), client, loc, body, "application/zip")
		if err != nil {
			t.Fatal(err)
		}
		bodies, versions = append(bodies, body), append(versions, version)
	}
	if versions[0] == "" || versions[0] == versions[1] {
		t.Fatalf("got versions %q, want two different ones", versions)
	}
	for i, version := range versions {
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &loc.Bucket, Key: &loc.Key, VersionId: &version})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(out.Body)
		out.Body.Close()
		if err != nil || !bytes.Equal(body, bodies[i]) || aws.ToString(out.ContentType) != "application/zip" {
			t.Errorf("version %q: got %d bytes of %q, %v", version, len(body), aws.ToString(out.ContentType), err)
		}
	}
}

func TestSandboxRetention(t *testing.T) {
	client := testkit.StartS3(t, "shop")
	for _, step := range []struct {
		dryRun, changed bool
	}{{true, true}, {false, true}, {false, false}} {
		changed, ids, err := artifact.ApplyBucketRetention(t.Context(), client, "shop", "build/", 7, step.dryRun)
		if err != nil || changed != step.changed || !slices.Equal(ids, []string{artifact.RetentionRuleID("build/")}) {
			t.Fatalf("dry run %v: got %v, %q, %v", step.dryRun, changed, ids, err)
		}
	}
	if _, _, err := artifact.ApplyBucketRetention(t.Context(), client, "none", "build/", 7, false); err == nil {
		t.Error("a bucket that is not there: no error")
	}
}
