package solve

import (
	"context"
	"errors"
	"testing"

	"slipway/build/target"
)

// TestCacheLogins: caches of the compose file that have credentials keep them, and one
// that gets none is asked for as it is.
func TestCacheLogins(t *testing.T) {
	own := target.Cache{Type: "s3", Attrs: map[string]string{"bucket": "a", "access_key_id": "mine"}}
	bare := target.Cache{Type: "s3", Attrs: map[string]string{"bucket": "b"}}
	none := target.Cache{Type: "registry", Attrs: map[string]string{"ref": "c"}}
	p := platformBuild{target: target.Target{CacheFrom: []target.Cache{own, bare, none}, CacheTo: []target.Cache{bare}}}
	p.Platform = "linux/arm64"
	asked := ""
	r := &run{}
	r.options.CacheLogin = func(_ context.Context, c target.Cache) (map[string]string, error) {
		asked += c.Type + " " + c.Platform + ";"
		if c.Type != "s3" {
			return nil, errors.New("no credentials")
		}
		return target.S3Credentials("id", "secret", ""), nil
	}
	got := r.withLogins(t.Context(), p)
	for i, want := range []string{
		"type=s3,access_key_id=mine,bucket=a",
		"type=s3,access_key_id=id,bucket=b,secret_access_key=secret",
		"type=registry,ref=c",
		"type=s3,access_key_id=id,bucket=b,secret_access_key=secret",
	} {
		if have := append(got.CacheFrom, got.CacheTo...)[i].String(); have != want {
			t.Errorf("cache %d is %s, want %s", i, have, want)
		}
	}
	if want := "s3 linux/arm64;registry linux/arm64;s3 linux/arm64;"; asked != want {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	if bare.Attrs["access_key_id"] != "" {
		t.Error("the credentials are in the target itself")
	}
}
