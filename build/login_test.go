package build

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/cli/cli/config"

	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
)

func ecrToken(end time.Time) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"payload":"x","version":"2","type":"DATA_KEY","expiration":%d}`, end.Unix()))
}

func TestStale(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		what, token string
		want        bool
	}{
		{"past its end", ecrToken(now.Add(-time.Second)), true},
		{"at its end", ecrToken(now), true},
		{"before its end", ecrToken(now.Add(time.Second)), false},
		{"not base64", "!", false},
		{"not JSON", base64.StdEncoding.EncodeToString([]byte("x")), false},
		{"without an end", base64.StdEncoding.EncodeToString([]byte(`{}`)), false},
		{"none", "", false},
	} {
		if got := stale(c.token, now); got != c.want {
			t.Errorf("a token %s: stale %v, want %v", c.what, got, c.want)
		}
	}
}

// TestDockerLogins uses the user's docker config for what is not ECR, and nobody's login
// for public.ecr.aws when that is past its end.
func TestDockerLogins(t *testing.T) {
	dir := t.TempDir()
	auth := func(user, password string) string {
		return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	}
	for _, c := range []struct {
		token string
		want  string
	}{
		{ecrToken(time.Now().Add(time.Hour)), "AWS"},
		{ecrToken(time.Now().Add(-time.Hour)), ""},
	} {
		text := fmt.Sprintf(`{"auths": {"public.ecr.aws": {"auth": %q}, "https://index.docker.io/v1/": {"auth": %q}, "ghcr.io": {"auth": %q}}}`,
			auth("AWS", c.token), auth("hub", "secret"), auth("AWS", ecrToken(time.Now().Add(-time.Hour))))
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := config.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		login := dockerLogins(file)
		for host, want := range map[string]string{"public.ecr.aws": c.want, "registry-1.docker.io": "hub", "ghcr.io": "AWS", "quay.io": ""} {
			got, err := login(t.Context(), host)
			if err != nil || got.Username != want {
				t.Errorf("%s: user %q, %v, want %q", host, got.Username, err, want)
			}
		}
	}
}

// TestLoginReadsNoBrokenConfig names the docker config that cannot be read.
func TestLoginReadsNoBrokenConfig(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := &job{Host: &project.Host{Environ: []string{"DOCKER_CONFIG=" + dir}}, plan: &project.Plan{}, logins: registry.NewLogins(nil, time.Now)}
	if _, err := j.login(); err == nil || fault.KindOf(err) != fault.Input {
		t.Errorf("got %v, want an input error", err)
	}
}
