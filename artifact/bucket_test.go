package artifact_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slipway/artifact"
	"slipway/internal/testkit"
)

func TestLookAtTheSandbox(t *testing.T) {
	client := testkit.StartS3(t, "shop")
	b, err := artifact.LookAt(t.Context(), client, "shop")
	if err != nil || !b.Versioned || b.Unseen != nil {
		t.Errorf("LookAt(shop) = %+v, %v, want a versioned bucket", b, err)
	}
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("plain")}); err != nil {
		t.Fatal(err)
	}
	b, err = artifact.LookAt(t.Context(), client, "plain")
	if err != nil || b.Versioned || b.Unseen != nil {
		t.Errorf("LookAt(plain) = %+v, %v, want a bucket without versions", b, err)
	}
	_, err = artifact.LookAt(t.Context(), client, "nowhere")
	var bad *artifact.BucketError
	if !errors.As(err, &bad) || bad.Status != http.StatusNotFound || bad.Hint() == "" {
		t.Errorf("LookAt(nowhere) = %v, want a BucketError with status 404 and a hint", err)
	}
}

// TestLookAtRefused: S3's refusals of a HEAD have a status and no body.
func TestLookAtRefused(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusForbidden:        "access to bucket shop is denied",
		http.StatusMovedPermanently: "bucket shop is in another region: eu-west-1",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			w.WriteHeader(status)
		}))
		client := s3.NewFromConfig(testkit.AWSConfig(server.URL))
		_, err := artifact.LookAt(t.Context(), client, "shop")
		var bad *artifact.BucketError
		if !errors.As(err, &bad) || bad.Error() != want || bad.Hint() == "" {
			t.Errorf("LookAt with answer %d = %v, want a BucketError with a hint: %s", status, err, want)
		}
		server.Close()
	}
}

// TestLookAtByItsVersioning: who may not list a whole bucket may still see that it is there.
func TestLookAtByItsVersioning(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>`))
	}))
	defer server.Close()
	client := s3.NewFromConfig(testkit.AWSConfig(server.URL))
	if b, err := artifact.LookAt(t.Context(), client, "shop"); err != nil || !b.Versioned || b.Unseen != nil {
		t.Errorf("LookAt(shop) = %+v, %v, want a versioned bucket", b, err)
	}
}
