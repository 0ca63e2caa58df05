package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	digest "github.com/opencontainers/go-digest"

	"slipway/build/engine"
	"slipway/internal/testkit"
)

// environment is a set of variables as Options reads them.
type environment map[string]string

func (e environment) lookup(name string) (string, bool) {
	v, ok := e[name]
	return v, ok
}

// dockerConfig is a docker configuration with one context, which may be the current one.
func dockerConfig(t *testing.T, current, context, host string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(path string, v any) {
		t.Helper()
		text, err := json.Marshal(v)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o700)
		}
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	config := map[string]any{}
	if current != "" {
		config["currentContext"] = current
	}
	write(filepath.Join(dir, "config.json"), config)
	write(filepath.Join(dir, "contexts", "meta", digest.FromString(context).Encoded(), "meta.json"), map[string]any{
		"Name": context, "Metadata": map[string]any{}, "Endpoints": map[string]any{"docker": map[string]any{"Host": host}},
	})
	return dir
}

// Which engine is asked is seen from the error: none of them is there.
func TestWhereDockerIsLookedFor(t *testing.T) {
	t.Parallel()
	nowhere := "unix://" + filepath.Join(testkit.ShortDir(t), "none.sock")
	withContext := dockerConfig(t, "", "remote", nowhere)
	current := dockerConfig(t, "remote", "remote", nowhere)
	other := "unix:///no/such/other.sock"
	for name, c := range map[string]struct {
		env  environment
		want string
	}{
		"DOCKER_HOST":                       {environment{"DOCKER_HOST": nowhere}, "at " + nowhere + " (DOCKER_HOST)"},
		"DOCKER_CONTEXT":                    {environment{"DOCKER_CONFIG": withContext, "DOCKER_CONTEXT": "remote"}, "at " + nowhere + " (docker context remote)"},
		"the current context":               {environment{"DOCKER_CONFIG": current}, "at " + nowhere + " (docker context remote)"},
		"DOCKER_HOST before contexts":       {environment{"DOCKER_CONFIG": current, "DOCKER_CONTEXT": "remote", "DOCKER_HOST": other}, "at " + other + " (DOCKER_HOST)"},
		"DOCKER_CONTEXT before the current": {environment{"DOCKER_CONFIG": current, "DOCKER_CONTEXT": "default", "DOCKER_HOST": ""}, "at unix:///var/run/docker.sock (the default socket)"},
		"nothing":                           {environment{"DOCKER_CONFIG": t.TempDir()}, "at unix:///var/run/docker.sock (the default socket)"},
	} {
		_, err := engine.Find(t.Context(), engine.Options{Address: "docker", AddressFrom: "--engine", LookupEnv: c.env.lookup})
		var none *engine.NotFoundError
		if !errors.As(err, &none) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want %q, have %v", name, c.want, err)
		}
	}
}

func TestDockerMisconfigured(t *testing.T) {
	t.Parallel()
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "config.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  environment
		from string
		want string
	}{
		"no such context":     {environment{"DOCKER_CONFIG": t.TempDir(), "DOCKER_CONTEXT": "gone"}, "DOCKER_CONTEXT", `"gone"`},
		"current gone":        {environment{"DOCKER_CONFIG": dockerConfig(t, "gone", "remote", "unix:///x")}, "the current docker context", `"gone"`},
		"broken config":       {environment{"DOCKER_CONFIG": broken}, "docker config", "config.json"},
		"no certificates":     {environment{"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/no/such/dir"}, "DOCKER_CERT_PATH", "/no/such/dir"},
		"no address":          {environment{"DOCKER_HOST": "nonsense"}, "DOCKER_HOST", "nonsense"},
		"ssh with a password": {environment{"DOCKER_HOST": "ssh://u:s3cr3t@host"}, "DOCKER_HOST", "password"},
	} {
		_, err := engine.Find(t.Context(), engine.Options{Address: "docker", AddressFrom: "--engine", LookupEnv: c.env.lookup})
		var bad *engine.AddressError
		if !errors.As(err, &bad) || bad.From != c.from || bad.Hint() == "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want an AddressError of %s with a hint and %q", name, err, c.from, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the password is told: %v", name, err)
		}
	}
}

// As for the docker command, a directory of certificates alone asks for no TLS.
func TestCertPathAlone(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := make(chan byte, 1)
	go testkit.Accept(l, func(conn net.Conn) {
		defer conn.Close()
		var b [1]byte
		if _, err := conn.Read(b[:]); err == nil {
			select {
			case first <- b[0]:
			default:
			}
		}
	})
	env := environment{"DOCKER_HOST": "tcp://" + l.Addr().String(), "DOCKER_CERT_PATH": t.TempDir()}
	ctx, cancel := context.WithCancel(t.Context())
	o := engine.Options{Address: "docker", AddressFrom: "--engine", LookupEnv: env.lookup, Waiting: func(string) { cancel() }}
	if _, err := engine.Find(ctx, o); err == nil {
		t.Error("an engine was found")
	}
	const handshake = 0x16 // the type of TLS's first record
	if b := <-first; b == handshake {
		t.Error("the client began with a handshake")
	}
}

// Certificates that do not fit are told at once: time does not mend them.
func TestDockerWithoutTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	env := environment{"DOCKER_HOST": "tcp://" + strings.TrimPrefix(server.URL, "http://"), "DOCKER_TLS": "1", "DOCKER_CONFIG": t.TempDir()}
	waited := false
	_, err := engine.Find(t.Context(), engine.Options{Address: "docker", AddressFrom: "--engine", LookupEnv: env.lookup, Waiting: func(string) { waited = true }})
	var none *engine.NotFoundError
	if !errors.As(err, &none) || waited {
		t.Errorf("waited %v: %v", waited, err)
	}
}

// A Docker engine that takes the connection and says nothing is starting: it is waited
// for, and that is told.
func TestDockerIsWaitedFor(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(testkit.ShortDir(t), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var waited string
	o := engine.Options{
		Address: "docker", AddressFrom: "--engine",
		LookupEnv: environment{"DOCKER_HOST": "unix://" + socket}.lookup,
		// Told once: that is all there is to see.
		Waiting: func(what string) { waited = what; cancel() },
	}
	_, err = engine.Find(ctx, o)
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "interrupted while looking for an engine") {
		t.Errorf("Find = %v, want an interruption", err)
	}
	if waited != "the Docker engine at unix://"+socket {
		t.Errorf("waited for %q, want %v", waited, "the Docker engine at unix://"+socket)
	}
}
