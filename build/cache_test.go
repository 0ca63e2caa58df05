package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slipway/build/engine"
	"slipway/build/target"
)

// TestCredentialsForEngines: those of the moment, for a managed engine as for any other.
func TestCredentialsForEngines(t *testing.T) {
	t.Parallel()
	n := 0
	provider := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		n++
		return aws.Credentials{AccessKeyID: "id", SecretAccessKey: strings.Repeat("x", n), SessionToken: "token", CanExpire: true, Expires: time.Now().Add(time.Minute)}, nil
	})
	engines := []*engine.Engine{{Kind: engine.Managed, Platform: "linux/amd64"}, {Kind: engine.Buildkitd, Platform: "linux/arm64"}, {Kind: engine.Buildkitd, Platform: "linux/arm/v7", SameHost: true}}
	login := cacheLogin(aws.NewCredentialsCache(provider), engines)
	ask := func(c target.Cache) map[string]string {
		t.Helper()
		got, err := login(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := ask(target.Cache{Type: "registry", Platform: "linux/arm64"}); len(got) > 0 || n > 0 {
		t.Errorf("a registry gets %v", got)
	}
	if got := ask(target.Cache{Type: "s3", Platform: "linux/amd64"}); got["access_key_id"] != "id" {
		t.Errorf("a managed engine gets %v", got)
	}
	first, second := ask(target.Cache{Type: "s3", Platform: "linux/arm64"}), ask(target.Cache{Type: "s3", Platform: "linux/arm64"})
	if first["access_key_id"] != "id" || first["session_token"] != "token" || first["secret_access_key"] == "" || maps.Equal(first, second) {
		t.Errorf("%v, then %v", first, second)
	}
	if got := ask(target.Cache{Type: "s3", Platform: "linux/arm/v7"}); len(got) == 0 {
		t.Error("an engine on this host gets none, though they are not the host's")
	}
	// The host's own role: whoever runs there has it.
	login = cacheLogin(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "x", Source: "EC2RoleProvider"}, nil
	}), engines)
	if got := ask(target.Cache{Type: "s3", Platform: "linux/arm/v7"}); len(got) > 0 {
		t.Errorf("an engine on this host gets %v, which its own chain finds", got)
	}
	if got := ask(target.Cache{Type: "s3", Platform: "linux/arm64"}); len(got) == 0 {
		t.Error("an engine elsewhere gets none")
	}
	login = cacheLogin(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("logged out") }), engines)
	if _, err := login(t.Context(), target.Cache{Type: "s3", Platform: "linux/arm64"}); err == nil || !strings.Contains(err.Error(), "logged out") {
		t.Errorf("got error %v, want that it is logged out", err)
	}
}

// A pool gets credentials as far as each of its engines may have them.
func TestCacheLoginOfAPool(t *testing.T) {
	t.Parallel()
	provider := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "x", Source: "EC2RoleProvider"}, nil
	})
	here, there, readable := engine.Engine{SameHost: true}, engine.Engine{}, engine.Engine{ClearText: true}
	for name, c := range map[string]struct {
		engines []engine.Engine
		given   bool
	}{
		"all here":            {[]engine.Engine{here, here}, false},
		"one here, one there": {[]engine.Engine{here, there}, true},
		"one there, one here": {[]engine.Engine{there, here}, true},
		"one readable":        {[]engine.Engine{readable, there}, false},
		"the last readable":   {[]engine.Engine{there, readable}, false},
	} {
		var engines []*engine.Engine
		for i := range c.engines {
			engines = append(engines, &c.engines[i])
		}
		got, err := cacheLogin(provider, engines)(t.Context(), target.Cache{Type: "s3"})
		if err != nil || len(got) > 0 != c.given {
			t.Errorf("%s: cacheLogin gives %v, %v, want credentials: %t", name, got, err, c.given)
		}
	}
}

// TestBucketRegion: S3 names the region also when it refuses.
func TestBucketRegion(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 301, 403, 404, 500} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "ap-south-1")
			w.WriteHeader(status)
		}))
		client := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: aws.String(server.URL), UsePathStyle: true, Credentials: aws.AnonymousCredentials{}})
		if got := bucketRegion(t.Context(), client, "stock"); got != "ap-south-1" {
			t.Errorf("bucketRegion with answer %d = %q, want ap-south-1", status, got)
		}
		server.Close()
		if got := bucketRegion(t.Context(), client, "stock"); got != "" {
			t.Errorf("nobody there: %q", got)
		}
	}
}

// TestCacheTags: only the tags that may be read are asked for, and must be able to move.
func TestCacheTags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cache, engine, want string }{
		{"auto", "", "[buildcache]"},
		{"registry", "unix:///x", "[buildcache]"},
		{"registry", "linux/amd64=own,linux/arm64=tcp://arm:1", "[buildcache-linux-amd64 buildcache-linux-arm64]"},
		{"registry", "tcp://a:1|tcp://b:1", "[buildcache]"},
		{"registry", "linux/amd64=tcp://a:1|tcp://b:1,linux/arm64=own", "[buildcache-linux-amd64 buildcache-linux-arm64]"},
		{"none", "linux/amd64=own", "[]"},
		{"inline", "", "[]"},
		{"s3://layers/x", "", "[]"},
	} {
		o := Options{Cache: c.cache, Engine: engine.Options{Address: c.engine}}
		if got := fmt.Sprint(o.cacheTagNames()); got != c.want {
			t.Errorf("cacheTagNames of %+v = %s, want %s", c, got, c.want)
		}
	}
}
