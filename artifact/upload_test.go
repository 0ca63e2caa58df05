package artifact

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
)

func TestUpload(t *testing.T) {
	b, client := newBucket(t)
	body, err := Zip(map[string][]byte{"imagedefinitions.json": []byte("[]\n")})
	must(t, err)
	loc := S3Location{"bucket", "build/a b+c.zip"}
	version, err := Upload(t.Context(), client, loc, body, "application/zip")
	if err != nil || version != "version-1" {
		t.Fatalf("got %q, %v, want version-1", version, err)
	}
	const path = "/bucket/build/a b+c.zip"
	if b.objects[path] != string(body) || b.types[path] != "application/zip" {
		t.Errorf("S3 has %q of type %q", b.objects, b.types)
	}
	if _, err := Upload(t.Context(), client, S3Location{"bucket", "empty"}, nil, "text/plain"); err != nil {
		t.Errorf("an empty body: %v", err)
	}
}

func TestUploadErrors(t *testing.T) {
	b, client := newBucket(t)
	var bad *S3URLError
	if _, err := Upload(t.Context(), client, S3Location{"bucket", "folder/"}, nil, "text/plain"); !errors.As(err, &bad) {
		t.Errorf("got %v, want an S3URLError", err)
	}
	b.refuse = "AccessDenied"
	_, err := Upload(t.Context(), client, S3Location{"bucket", "key"}, []byte("x"), "text/plain")
	var answer smithy.APIError
	if !errors.As(err, &answer) || answer.ErrorCode() != "AccessDenied" || !strings.Contains(err.Error(), "s3://bucket/key") {
		t.Errorf("got %v, want AccessDenied of s3://bucket/key", err)
	}
	if len(b.objects) != 0 {
		t.Errorf("S3 has %v", b.objects)
	}
}
