package solve

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session/auth"
)

func TestCheckRealm(t *testing.T) {
	t.Parallel()
	ecr, other, none := types.AuthConfig{Username: "AWS", Password: "x"}, types.AuthConfig{Username: "u", Password: "x"}, types.AuthConfig{}
	for _, c := range []struct {
		login       types.AuthConfig
		host, realm string
		ok          bool
	}{
		{ecr, "r.example", "https://r.example/token", true},
		{ecr, "r.example:5000", "http://r.example:5000/token", true},
		{ecr, "r.example", "https://evil.example/token", false},
		{ecr, "r.example", "https://r.example.evil.example/token", false},
		{ecr, "r.example", "https://r.example@evil.example/token", false},
		{ecr, "r.example", "https://r.example:8443/token", false},
		{ecr, "127.0.0.1:5000", "http://127.0.0.1:5001/token", false},
		{other, "registry-1.docker.io", "https://auth.docker.io/token", true},
		{other, "r.example", "http://auth.example/token", false},
		{other, "127.0.0.1:5000", "http://localhost:5001/token", true},
		{other, "r.example", "http://127.0.0.1:5001/token", false},
		{none, "r.example", "http://auth.example/token", true},
		{none, "r.example", "http://169.254.169.254/latest", false},
		{none, "r.example", "https://[fe80::1]/token", false},
		{none, "r.example", "file:///etc/passwd", false},
		{none, "r.example", "", false},
	} {
		if err := checkRealm(c.login, c.host, c.realm); (err == nil) != c.ok {
			t.Errorf("%q at %s, sent to %s: %v, want %v", c.login.Username, c.host, c.realm, err, c.ok)
		}
	}
}

// TestSessionFetchesNoTokenElsewhere asks as an engine does, for a token server that the
// login must not go to.
func TestSessionFetchesNoTokenElsewhere(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, `{"token":"t","access_token":"t"}`)
	}))
	defer server.Close()
	for user, want := range map[string]int32{"AWS": 0, "somebody": 1} {
		asked.Store(0)
		login := func(context.Context, string) (types.AuthConfig, error) {
			return types.AuthConfig{Username: user, Password: "secret"}, nil
		}
		provider, ok := newAuth(login).(auth.AuthServer)
		if !ok {
			t.Fatal("newAuth gives no AuthServer")
		}
		_, err := provider.FetchToken(t.Context(), &auth.FetchTokenRequest{Host: "localhost:1", Realm: server.URL + "/token"})
		if got := asked.Load(); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %d requests, want %d; %v", user, got, want, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error has the secret: %v", err)
		}
	}
}
