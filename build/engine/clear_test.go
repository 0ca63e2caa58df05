package engine_test

import (
	"testing"

	"slipway/build/engine"
)

func TestClearText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address, tls string
		env          map[string]string
		want         string
	}{
		{address: ""},
		{address: "own"},
		{address: "unix:///run/buildkit/buildkitd.sock"},
		{address: "tcp://127.0.0.1:1234"},
		{address: "tcp://localhost:1234"},
		{address: "tcp://[::1]:1234"},
		{address: "tcp://build.example:1234", want: "tcp://build.example:1234"},
		{address: "tcp://10.1.2.3:1234", want: "tcp://10.1.2.3:1234"},
		{address: "tcp://build.example:1234", tls: "certs"},
		{address: "ssh://me@build.example"},
		{address: "kube-pod://builder"},
		{address: "docker-container://builder"},
		{address: "docker-container://builder", env: map[string]string{"DOCKER_HOST": "unix:///run/docker.sock"}},
		{address: "docker-container://builder", env: map[string]string{"DOCKER_HOST": "tcp://10.1.2.3:2375"}, want: "docker-container://builder"},
		{address: "docker-container://builder", env: map[string]string{"DOCKER_HOST": "tcp://10.1.2.3:2376", "DOCKER_TLS_VERIFY": "1"}},
		{address: "docker-container://builder", env: map[string]string{"DOCKER_HOST": "tcp://127.0.0.1:2375"}},
		{address: "docker-container://builder?context=remote", env: map[string]string{"DOCKER_CONFIG": dockerConfig(t, "", "remote", "tcp://10.1.2.3:2375")}, want: "docker-container://builder?context=remote"},
		{address: "docker-container://builder?context=remote", env: map[string]string{"DOCKER_CONFIG": dockerConfig(t, "", "remote", "unix:///run/docker.sock"), "DOCKER_HOST": "tcp://10.1.2.3:2375"}},
		{address: "docker-container://builder", env: map[string]string{"DOCKER_CONFIG": dockerConfig(t, "", "remote", "tcp://10.1.2.3:2375"), "DOCKER_CONTEXT": "remote"}, want: "docker-container://builder"},
		{address: "linux/amd64=own,linux/arm64=tcp://arm.example:1", want: "tcp://arm.example:1"},
	} {
		o := engine.Options{Address: c.address, TLS: c.tls, LookupEnv: func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }}
		if got := o.ClearText(); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.address, c.env, got, c.want)
		}
	}
}
