package sandbox_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// objects is an S3 client set up as a user's is: default checksums, path style
// left to the SDK to find out.
func objects(t *testing.T, s *sandbox.Server, bucket string) *s3.Client {
	t.Helper()
	config := testkit.AWSConfig(s.URL())
	config.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	config.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
	c := s3.NewFromConfig(config)
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	return c
}

func fetch(t *testing.T, c *s3.Client, in *s3.GetObjectInput) (string, *s3.GetObjectOutput) {
	t.Helper()
	out, err := c.GetObject(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err) // a wrong checksum shows here
	}
	return string(body), out
}

func TestObjectsKeepMetadataAndVersions(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := objects(t, s, "artifacts")
	bucket, key := aws.String("artifacts"), aws.String("path/definitions.zip")
	_, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	put := func(body, sum string) string {
		out, err := c.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: bucket, Key: key, Body: strings.NewReader(body), Metadata: map[string]string{"sum": sum},
		})
		if err != nil {
			t.Fatal(err)
		}
		if out.ChecksumCRC32 == nil {
			t.Error("the answer holds no checksum")
		}
		return aws.ToString(out.VersionId)
	}
	first, second := put("one", "s1"), put("two!", "s2")
	if first == "" || first == second {
		t.Fatalf("versions %q and %q", first, second)
	}
	if body, out := fetch(t, c, &s3.GetObjectInput{Bucket: bucket, Key: key}); body != "two!" || out.Metadata["sum"] != "s2" || *out.VersionId != second || out.ChecksumCRC32 == nil {
		t.Errorf("newest is %q, %+v", body, out)
	}
	if body, _ := fetch(t, c, &s3.GetObjectInput{Bucket: bucket, Key: key, VersionId: &first}); body != "one" {
		t.Errorf("first version is %q, want one", body)
	}
	part := &s3.GetObjectInput{Bucket: bucket, Key: key, Range: aws.String("bytes=1-2"), ChecksumMode: types.ChecksumModeEnabled}
	if body, out := fetch(t, c, part); body != "wo" || out.ChecksumCRC32 != nil {
		t.Errorf("range is %q with the checksum %s of the whole", body, aws.ToString(out.ChecksumCRC32))
	}
	head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: key, VersionId: &first})
	if err != nil {
		t.Fatal(err)
	}
	if *head.ContentLength != 3 || head.Metadata["sum"] != "s1" {
		t.Errorf("head of the first version: %+v", head)
	}
}

func TestHeadOfNothing(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := objects(t, s, "artifacts")
	_, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("none")})
	var missing *types.NotFound
	if !errors.As(err, &missing) {
		t.Errorf("got %v, want NotFound", err)
	}
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("none")})
	wantCode(t, err, "NoSuchKey")
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("nobucket"), Key: aws.String("none")})
	wantCode(t, err, "NoSuchBucket")
}

func TestChecksumsAreChecked(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := objects(t, s, "artifacts")
	for _, algorithm := range []types.ChecksumAlgorithm{
		types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme,
		types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
	} {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("artifacts"), Key: aws.String("a"), Body: strings.NewReader("text"), ChecksumAlgorithm: algorithm,
		})
		if err != nil {
			t.Errorf("putting an object with %s: %v", algorithm, err)
		}
	}
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("artifacts"), Key: aws.String("a"), Body: strings.NewReader("other"), ChecksumCRC32: aws.String("AAAAAA=="),
	})
	wantCode(t, err, "BadDigest")
	if body, _ := fetch(t, c, &s3.GetObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("a")}); body != "text" {
		t.Errorf("the refused object replaced the good one: %q", body)
	}
}

// The encodings that SDKs choose for streams, written out by hand since the Go
// SDK uses them over TLS only.
func TestChunkedUploads(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := objects(t, s, "artifacts")
	for _, test := range []struct {
		name, kind, body string
		status           int
	}{
		{"trailing checksum", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "4\r\nabcd\r\n2\r\nef\r\n0\r\nx-amz-checksum-crc32:S4457w==\r\n\r\n", 200},
		{"wrong trailing checksum", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "6\r\nabcdef\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", 400},
		{"signed chunks", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "6;chunk-signature=" + strings.Repeat("a", 64) + "\r\nabcdef\r\n0;chunk-signature=" + strings.Repeat("b", 64) + "\r\n\r\n", 200},
		{"cut short", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "6\r\nabc", 400},
		{"not as long as announced", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "3\r\nabc\r\n0\r\n\r\n", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL()+"/artifacts/chunked", strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Amz-Content-Sha256", test.kind)
			req.Header.Set("X-Amz-Decoded-Content-Length", "6")
			req.Header.Set("Content-Encoding", "aws-chunked,gzip")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != test.status {
				t.Fatalf("status is %d, want %d", resp.StatusCode, test.status)
			}
			if test.status != 200 {
				return
			}
			body, out := fetch(t, c, &s3.GetObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("chunked")})
			if body != "abcdef" || aws.ToString(out.ContentEncoding) != "gzip" {
				t.Errorf("object is %q with encoding %q", body, aws.ToString(out.ContentEncoding))
			}
		})
	}
}

func TestMultipartUpload(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := objects(t, s, "artifacts")
	bucket, key := aws.String("artifacts"), aws.String("big")
	up, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, Metadata: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	parts := []string{strings.Repeat("x", 5<<20), "the end"}
	var done []types.CompletedPart
	for i, part := range parts {
		number := aws.Int32(int32(i + 1))
		out, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: number, Body: strings.NewReader(part),
		})
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, types.CompletedPart{ETag: out.ETag, PartNumber: number, ChecksumCRC32: out.ChecksumCRC32})
	}
	_, err = c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
	})
	if err != nil {
		t.Fatal(err)
	}
	body, out := fetch(t, c, &s3.GetObjectInput{Bucket: bucket, Key: key})
	if body != strings.Join(parts, "") || out.Metadata["a"] != "b" {
		t.Errorf("object has %d bytes and metadata %v", len(body), out.Metadata)
	}
}

func TestStreamOfUnknownContent(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := objects(t, s, "artifacts")
	bucket, key := aws.String("artifacts"), aws.String("stream")
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: bucket, Key: key, ContentLength: aws.Int64(5), Body: io.LimitReader(bytes.NewReader([]byte("abcdefgh")), 5),
	}, s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware), func(o *s3.Options) {
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	})
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := fetch(t, c, &s3.GetObjectInput{Bucket: bucket, Key: key}); body != "abcde" {
		t.Errorf("object is %q, want abcde", body)
	}
}

func TestDeleteAndList(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := objects(t, s, "artifacts")
	bucket := aws.String("artifacts")
	for _, key := range []string{"a/1", "a/2", "b/1"} {
		if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(key)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("a/1")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("a/")})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Contents) != 1 || *list.Contents[0].Key != "a/2" {
		t.Errorf("list is %+v", list.Contents)
	}
	calls := s.Calls()
	if last := calls[len(calls)-1]; last.Service != "s3" || last.Action != "ListObjectsV2" || last.Repository != "artifacts" {
		t.Errorf("last call is %+v", last)
	}
}

func TestBucketLifecycle(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := objects(t, s, "artifacts")
	bucket := aws.String("artifacts")
	get := &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket}
	_, err := c.GetBucketLifecycleConfiguration(t.Context(), get)
	wantStatus(t, err, "NoSuchLifecycleConfiguration", 404)

	put := func(rules ...types.LifecycleRule) error {
		_, err := c.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{
			Bucket: bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
		})
		return err
	}
	week := &types.LifecycleExpiration{Days: aws.Int32(7)}
	named := types.LifecycleRule{
		ID: aws.String("seven"), Status: types.ExpirationStatusEnabled, Expiration: week,
		Filter: &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{
			Prefix: aws.String("a&b/"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		}},
		NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(3)},
	}
	nameless := types.LifecycleRule{Status: types.ExpirationStatusDisabled, Expiration: week, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")}}
	if err := put(named, nameless); err != nil {
		t.Fatal(err)
	}
	out, err := c.GetBucketLifecycleConfiguration(t.Context(), get)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Rules) != 2 || aws.ToString(out.Rules[1].ID) == "" || out.Rules[1].Status != types.ExpirationStatusDisabled {
		t.Fatalf("rules are %+v", out.Rules)
	}
	r := out.Rules[0]
	if *r.ID != "seven" || *r.Expiration.Days != 7 || *r.Filter.And.Prefix != "a&b/" || *r.Filter.And.Tags[0].Key != "k" || *r.NoncurrentVersionExpiration.NoncurrentDays != 3 {
		t.Errorf("rule came back as %+v", r)
	}

	twice, noFilter, noAction, zero := named, named, named, named
	noFilter.Filter, noAction.Expiration, noAction.NoncurrentVersionExpiration = nil, nil, nil
	zero.Expiration = &types.LifecycleExpiration{Days: aws.Int32(0)}
	wantCode(t, put(named, twice), "InvalidArgument")
	wantCode(t, put(noFilter), "MalformedXML")
	wantCode(t, put(noAction), "InvalidRequest")
	wantCode(t, put(zero), "InvalidArgument")

	if _, err := c.DeleteBucketLifecycle(t.Context(), &s3.DeleteBucketLifecycleInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	_, err = c.GetBucketLifecycleConfiguration(t.Context(), get)
	wantStatus(t, err, "NoSuchLifecycleConfiguration", 404)
	_, err = c.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String("nobucket")})
	wantStatus(t, err, "NoSuchBucket", 404)
}

func TestBucketTakesItsLifecycleAlong(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := objects(t, s, "artifacts")
	bucket := aws.String("artifacts")
	_, err := c.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{
		Bucket: bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
			Status: types.ExpirationStatusEnabled, Expiration: &types.LifecycleExpiration{Days: aws.Int32(1)},
			Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	_, err = c.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
	wantCode(t, err, "NoSuchLifecycleConfiguration")
}

func TestUnknownSubresource(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := objects(t, s, "artifacts")
	_, err := c.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("artifacts")})
	wantStatus(t, err, "NotImplemented", 501)
}

func wantStatus(t *testing.T, err error, code string, status int) {
	t.Helper()
	wantCode(t, err, code)
	var http interface{ HTTPStatusCode() int }
	if !errors.As(err, &http) || http.HTTPStatusCode() != status {
		t.Errorf("got %v, want status %d", err, status)
	}
}
