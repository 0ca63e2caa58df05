package solve_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/build/solve"
	"slipway/build/target"
	"slipway/internal/enginetest"
	"slipway/internal/fault"
	"slipway/internal/testkit"
)

// startBaseRegistry starts a registry with the image there:1 and returns its
// host:port. It refuses pulls of limited, has no pulls of spent left, and lets only
// the user somebody pull private.
func startBaseRegistry(t *testing.T) string {
	t.Helper()
	host := testkit.StartRegistry(t, restrictBases)
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	for _, repo := range []string{"there", "private", "spent"} {
		ref, err := name.ParseReference(host + "/" + repo + ":1")
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, image, remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: "somebody", Password: "x"}))); err != nil {
			t.Fatal(err)
		}
	}
	return host
}

// restrictBases restricts pulls as startBaseRegistry says. The registry inner answers
// the other requests.
func restrictBases(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		switch {
		case strings.HasPrefix(r.URL.Path, "/v2/limited/"):
			w.WriteHeader(http.StatusTooManyRequests)
		case strings.HasPrefix(r.URL.Path, "/v2/spent/"):
			w.Header().Set("RateLimit-Remaining", "0;w=21600")
			inner.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/v2/private/") && user != "somebody":
			w.Header().Set("WWW-Authenticate", `Basic realm="library"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/v2/" && user == "":
			w.Header().Set("WWW-Authenticate", `Basic realm="library"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			inner.ServeHTTP(w, r)
		}
	})
}

func somebody(context.Context, string) (types.AuthConfig, error) {
	return types.AuthConfig{Username: "somebody", Password: "x"}, nil
}

func TestHead(t *testing.T) {
	t.Parallel()
	host := startBaseRegistry(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, c := range []struct {
		image  string
		login  solve.AuthFunc
		status int
		says   string
	}{
		{host + "/there:1", somebody, http.StatusOK, ""},
		{host + "/private:1", somebody, http.StatusOK, ""},
		{host + "/there:2", somebody, http.StatusNotFound, "there is no such image"},
		{host + "/private:1", anonymous, http.StatusUnauthorized, "Unauthorized"},
		{host + "/limited/x:1", somebody, http.StatusTooManyRequests, "limits how often"},
		{host + "/spent:1", somebody, http.StatusTooManyRequests, "no pulls are left"},
		{strings.TrimPrefix(gone.URL, "http://") + "/a:1", somebody, 0, "refused"},
		{host + "/there:1", func(context.Context, string) (types.AuthConfig, error) {
			return types.AuthConfig{}, errors.New("no token")
		}, 0, "no token"},
	} {
		_, err := solve.Head(t.Context(), c.image, c.login)
		if c.status == http.StatusOK {
			if err != nil {
				t.Errorf("Head(%s) = %v, want no error", c.image, err)
			}
			continue
		}
		var refused *solve.PullError
		if !errors.As(err, &refused) || refused.Status != c.status || !strings.Contains(err.Error(), c.says) || refused.Hint() == "" {
			t.Errorf("Head(%s) = %v, want a PullError with status %d, a hint and %q", c.image, err, c.status, c.says)
		}
	}
	var input *fault.InputError
	if _, err := solve.Head(t.Context(), "A b", somebody); !errors.As(err, &input) {
		t.Errorf("Head of a name with a space = %v, want an InputError", err)
	}
}

func TestLoginHost(t *testing.T) {
	t.Parallel()
	asked := ""
	_, _ = solve.Head(t.Context(), "alpine:3", func(_ context.Context, host string) (types.AuthConfig, error) {
		asked = host
		return types.AuthConfig{}, errors.New("enough")
	})
	if asked != "registry-1.docker.io" {
		t.Errorf("asked for a login of %q, want registry-1.docker.io", asked)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	engine := enginetest.Shared(t)
	host := startBaseRegistry(t)
	bases := []target.Base{{Image: host + "/there:1", Platform: "linux/amd64"}, {Image: host + "/there:2", Platform: "linux/amd64"}, {Image: host + "/private:1"}}
	each, err := solve.Resolve(t.Context(), engine.Client(t), bases, somebody)
	if err != nil {
		t.Fatal(err)
	}
	if each[0].Err != nil || each[1].Err == nil || each[2].Err != nil {
		t.Errorf("errors %v, %v and %v; want one for the second image, which is not there", each[0].Err, each[1].Err, each[2].Err)
	}
}
