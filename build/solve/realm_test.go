package solve_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/docker/cli/cli/config/types"

	"slipway/build/solve"
)

// tokenServer counts the requests that bring a login.
func tokenServer(t *testing.T) (url string, logins *atomic.Int32) {
	t.Helper()
	logins = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.Header.Get("Authorization") != "" || r.Form.Get("password") != "" || r.Form.Get("refresh_token") != "" {
			logins.Add(1)
		}
		fmt.Fprint(w, `{"token":"t","access_token":"t"}`)
	}))
	t.Cleanup(server.Close)
	return server.URL, logins
}

// challenger is a registry that names a token server.
func challenger(t *testing.T, realm string) (host string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="x"`, realm))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func loginOf(user string) solve.AuthFunc {
	return func(context.Context, string) (types.AuthConfig, error) {
		return types.AuthConfig{Username: user, Password: "secret"}, nil
	}
}

// TestHeadFollowsNoChallengeWithAToken: a token of ECR goes to no other host, whatever a
// registry's challenge says; the logins of others go to their token server.
func TestHeadFollowsNoChallengeWithAToken(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]bool{"AWS": false, "somebody": true} {
		url, logins := tokenServer(t)
		// By its name, since go-containerregistry calls no address of loopback.
		host := challenger(t, strings.Replace(url, "127.0.0.1", "localhost", 1)+"/token")
		_, err := solve.Head(t.Context(), host+"/x:1", loginOf(user))
		if got := logins.Load() > 0; got != want {
			t.Errorf("%s: the token server was sent a login: %v, want %v (%v)", user, got, want, err)
		}
		if !want && (err == nil || !strings.Contains(err.Error(), "ECR tokens are not sent there")) {
			t.Errorf("%s: got %v, want that ECR tokens are not sent there", user, err)
		}
	}
}

// TestHeadFollowsNoRedirectWithALogin: the host that a registry redirects to gets no login.
func TestHeadFollowsNoRedirectWithALogin(t *testing.T) {
	t.Parallel()
	var asked, logins atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "" {
			logins.Add(1)
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") == "":
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path != "/v2/":
			http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	if _, err := solve.Head(t.Context(), strings.TrimPrefix(server.URL, "http://")+"/x:1", loginOf("AWS")); err == nil {
		t.Error("the image is there")
	}
	if asked.Load() == 0 || logins.Load() > 0 {
		t.Errorf("the other host was asked %d times, %d with a login", asked.Load(), logins.Load())
	}
}
