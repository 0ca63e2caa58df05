package target_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"slipway/build/target"
)

func TestS3Cache(t *testing.T) {
	t.Parallel()
	from, to := target.S3Cache(target.S3Place{Bucket: "layers", Prefix: "shop/", Region: "eu-west-1"}, "shop/a")
	if got, want := from.String(), "type=s3,bucket=layers,name=shop/a,prefix=shop/,region=eu-west-1"; got != want {
		t.Errorf("from %s, want %s", got, want)
	}
	if got, want := to.String(), "type=s3,bucket=layers,ignore-error=true,mode=max,name=shop/a,prefix=shop/,region=eu-west-1"; got != want {
		t.Errorf("to %s, want %s", got, want)
	}
	from, _ = target.S3Cache(target.S3Place{Bucket: "layers", Region: "x", Endpoint: "http://127.0.0.1:4566"}, "a")
	if got, want := from.String(), "type=s3,bucket=layers,endpoint_url=http://127.0.0.1:4566,name=a,region=x,use_path_style=true"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	maps.Copy(from.Attrs, target.S3Credentials("hush-id", "hush-secret", "hush-token"))
	if text := fmt.Sprint(from.Redacted()); strings.Contains(text, "hush") || !strings.Contains(text, "REDACTED") {
		t.Errorf("Redacted = %s, want REDACTED and no credentials", text)
	}
	if _, ok := target.S3Credentials("id", "secret", "")["session_token"]; ok {
		t.Error("an empty token is passed: BuildKit would sign with it")
	}
}
