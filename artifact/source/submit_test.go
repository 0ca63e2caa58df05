package source_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"slipway/artifact"
	"slipway/artifact/source"
	"slipway/internal/testkit"
)

var sourceZip = artifact.S3Location{Bucket: "shop", Key: "source/shop.zip"}

// pack packs a directory with one file of that many bytes no compressor makes smaller.
func pack(t *testing.T, size int, seed uint64) *source.Archive {
	t.Helper()
	dir := t.TempDir()
	noise := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(noise) // never fails
	if err := os.WriteFile(filepath.Join(dir, "noise"), noise, 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := source.Read(t.Context(), source.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	a, err := source.Pack(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// there is the object's version and the SHA-256 of its content.
func there(t *testing.T, client *s3.Client) (version, digest string) {
	t.Helper()
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &sourceZip.Bucket, Key: &sourceZip.Key})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(out.ContentType) != "application/zip" {
		t.Errorf("it is of type %q, want application/zip", aws.ToString(out.ContentType))
	}
	sum := sha256.Sum256(body)
	return aws.ToString(out.VersionId), hex.EncodeToString(sum[:])
}

// TestSubmit puts small and large archives, each twice.
func TestSubmit(t *testing.T) {
	client := testkit.StartS3(t, "shop")
	var versions []string
	for _, size := range []int{100, 9 << 20, 100} {
		a := pack(t, size, uint64(len(versions)))
		var arrived []int64
		done, err := source.Submit(t.Context(), client, sourceZip, a, func(n int64) { arrived = append(arrived, n) })
		if err != nil || !done.Changed || done.VersionID == "" || done.Unseen != nil || slices.Contains(versions, done.VersionID) {
			t.Fatalf("%d bytes: got %+v, %v, want a new version", size, done, err)
		}
		if !slices.IsSorted(arrived) || arrived[len(arrived)-1] != a.Size || size > 8<<20 && len(arrived) != 2 {
			t.Errorf("%d bytes of %d arrived: %d", size, a.Size, arrived)
		}
		if version, digest := there(t, client); version != done.VersionID || digest != a.Digest {
			t.Errorf("%d bytes: version %s, digest %s; want %s, %s", size, version, digest, done.VersionID, a.Digest)
		}
		again, err := source.Submit(t.Context(), client, sourceZip, pack(t, size, uint64(len(versions))), nil)
		if err != nil || again.Changed || again.VersionID != done.VersionID {
			t.Errorf("%d bytes again: got %+v, %v", size, again, err)
		}
		versions = append(versions, done.VersionID)
	}
}

// TestSubmitUnversioned: without versions Submit returns none, and still compares.
func TestSubmitUnversioned(t *testing.T) {
	client := testkit.StartS3(t, "shop")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("plain")}); err != nil {
		t.Fatal(err)
	}
	plain := artifact.S3Location{Bucket: "plain", Key: "shop.zip"}
	for i, changed := range []bool{true, false} {
		done, err := source.Submit(t.Context(), client, plain, pack(t, 10, 1), nil)
		if err != nil || done.Changed != changed || done.VersionID != "" {
			t.Errorf("%d: got %+v, %v, want no version, changed: %v", i, done, err, changed)
		}
	}
}

func TestSubmitErrors(t *testing.T) {
	client := testkit.StartS3(t, "shop")
	a := pack(t, 10, 1)
	var url *artifact.S3URLError
	if _, err := source.Submit(t.Context(), client, artifact.S3Location{Bucket: "shop", Key: "x/"}, a, nil); !errors.As(err, &url) {
		t.Errorf("got %v, want an S3URLError", err)
	}
	var answer smithy.APIError
	if _, err := source.Submit(t.Context(), client, artifact.S3Location{Bucket: "none", Key: "x"}, a, nil); !errors.As(err, &answer) || answer.ErrorCode() != "NoSuchBucket" {
		t.Errorf("got %v, want NoSuchBucket", err)
	}
}

// refusing answers requests that match with a status of its own, or does something first.
type refusing struct {
	match  func(*http.Request) bool
	status int
	before func()
}

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	if !r.match(req) {
		return http.DefaultTransport.RoundTrip(req)
	}
	if r.before != nil {
		r.before()
	}
	if r.status == 0 {
		return http.DefaultTransport.RoundTrip(req)
	}
	if req.Body != nil {
		req.Body.Close()
	}
	return &http.Response{StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

func through(client *s3.Client, r refusing) *s3.Client {
	o := client.Options()
	return s3.New(o, func(o *s3.Options) {
		o.HTTPClient, o.RetryMaxAttempts = &http.Client{Transport: r}, 1
	})
}

// TestSubmitUnseen may write but not look.
func TestSubmitUnseen(t *testing.T) {
	client := testkit.StartS3(t, "shop")
	blind := through(client, refusing{match: func(r *http.Request) bool { return r.Method == http.MethodHead }, status: http.StatusForbidden})
	done, err := source.Submit(t.Context(), blind, sourceZip, pack(t, 10, 1), nil)
	if err != nil || !done.Changed || done.Unseen == nil {
		t.Errorf("got %+v, %v, want a new object, and the error of reading the old one", done, err)
	}
	broken := through(client, refusing{match: func(r *http.Request) bool { return r.Method == http.MethodHead }, status: http.StatusMovedPermanently})
	if done, err := source.Submit(t.Context(), broken, sourceZip, pack(t, 10, 2), nil); err == nil || done.Changed {
		t.Errorf("got %+v, %v, want an error and no new object", done, err)
	}
}

// TestSubmitGivenUp breaks and interrupts an upload in the middle: the object stays as it
// was and no parts are left behind.
func TestSubmitGivenUp(t *testing.T) {
	client := testkit.StartS3(t, "shop")
	if _, err := source.Submit(t.Context(), client, sourceZip, pack(t, 10, 1), nil); err != nil {
		t.Fatal(err)
	}
	version, digest := there(t, client)
	large := pack(t, 9<<20, 2)
	second := func() func(*http.Request) bool {
		var parts atomic.Int32
		return func(r *http.Request) bool { return r.URL.Query().Has("partNumber") && parts.Add(1) == 2 }
	}
	interrupted, interrupt := context.WithCancel(t.Context())
	for what, c := range map[string]struct {
		ctx  context.Context
		r    refusing
		want error
	}{
		"a refused part": {t.Context(), refusing{match: second(), status: http.StatusForbidden}, nil},
		"an interrupt":   {interrupted, refusing{match: second(), before: interrupt}, context.Canceled},
	} {
		done, err := source.Submit(c.ctx, through(client, c.r), sourceZip, large, nil)
		if err == nil || done != (source.Submission{}) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: got %+v, %v, want no submission and the error %v", what, done, err, c.want)
		}
		if v, d := there(t, client); v != version || d != digest {
			t.Errorf("%s: the object changed", what)
		}
		uploads, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &sourceZip.Bucket})
		if err != nil || len(uploads.Uploads) > 0 {
			t.Errorf("%s: %d uploads are left, %v", what, len(uploads.Uploads), err)
		}
	}
	if done, err := source.Submit(t.Context(), client, sourceZip, large, nil); err != nil || !done.Changed {
		t.Errorf("again: got %+v, %v, want a new object", done, err)
	}
}

// TestSubmitForeign replaces an object that somebody else put there.
func TestSubmitForeign(t *testing.T) {
	client := testkit.StartS3(t, "shop")
	a := pack(t, 10, 1)
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &sourceZip.Bucket, Key: &sourceZip.Key, Body: bytes.NewReader(nil), Metadata: map[string]string{"slipway-content": strings.Repeat("0", 64)}})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := source.Submit(t.Context(), client, sourceZip, a, nil); err != nil || !done.Changed {
		t.Errorf("got %+v, %v, want a new object", done, err)
	}
	out, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &sourceZip.Bucket, Key: &sourceZip.Key})
	if err != nil || out.Metadata["slipway-content"] != a.Content || out.Metadata["slipway-sha256"] != a.Digest {
		t.Errorf("metadata %v, %v", out.Metadata, err)
	}
	// In a bucket whose versioning was suspended, S3 calls the version null.
	_, err = client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &sourceZip.Bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := source.Submit(t.Context(), client, sourceZip, pack(t, 10, 2), nil); err != nil || done.VersionID != "" {
		t.Errorf("suspended: got %+v, %v, want no version", done, err)
	}
}
