package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/cli/cli/config"
	dockercontext "github.com/docker/cli/cli/context"
	"github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"
	buildkit "github.com/moby/buildkit/client"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/versions"
)

// dockerEngine is the Docker engine around its BuildKit.
type dockerEngine struct {
	client *client.Client
	api    string
}

func (d *dockerEngine) olderThan(api string) bool { return versions.LessThan(d.api, api) }

// session is where a Docker engine takes the sessions of its BuildKit.
func (d *dockerEngine) session(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
	return d.client.DialHijack(ctx, "/session", proto, meta)
}

// DockerStartTime is how long a Docker engine may take to start. In CodeBuild's images the
// entry point gives it a minute, too.
const DockerStartTime = time.Minute

// docker is the Docker engine that the docker CLI would use. One that does not answer is
// waited for, for as long as wait says; 0 means that it is asked once.
func (p candidate) docker(ctx context.Context, wait time.Duration) (*Engine, error) {
	from, endpoint, err := p.dockerEndpoint()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := &commandWatch{program: "ssh", end: cancel}
	opts, err := dockerOptions(endpoint, watch)
	if err != nil {
		return nil, badAddress(from, "correct the address or the certificates", "%v", err)
	}
	c, err := client.New(opts...)
	if err != nil {
		return nil, badAddress(from, "correct the address of the Docker engine", "%v", err)
	}
	switch {
	case wait == 0:
	case p.DockerStarts:
		wait = DockerStartTime
	case noSocket(endpoint.Host):
		wait = 0
	}
	e, err := p.dockerAt(ctx, c, endpoint.Host, wait)
	if err != nil {
		_ = c.Close() // it was only asked
		return nil, &noDockerError{endpoint.Host, from, watch.instead(err)}
	}
	e.ClearText = clearHost(endpoint)
	return e, nil
}

// noDockerError is a Docker engine that does not answer.
type noDockerError struct {
	host, from string
	err        error
}

func (e *noDockerError) Error() string {
	return fmt.Sprintf("no Docker engine answers at %s (%s): %v", shown(e.host), e.from, e.err)
}

func (e *noDockerError) Unwrap() error { return e.err }

// Hint is about the one mistake that the error itself does not explain; empty otherwise.
func (e *noDockerError) Hint() string {
	if errors.Is(e.err, fs.ErrPermission) {
		return "this user may not write to Docker's socket: join the group docker, or run the job as one who may"
	}
	return ""
}

func (p candidate) dockerAt(ctx context.Context, c *client.Client, host string, wait time.Duration) (*Engine, error) {
	if err := allowed(ctx, host); err != nil {
		return nil, err
	}
	if err := p.awaitDocker(ctx, c, host, wait); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, explicitTime)
	defer cancel()
	var version struct{ Version, APIVersion string }
	if err := get(ctx, c, "/version", &version); err != nil {
		return nil, within(ctx, explicitTime, err)
	}
	d := &dockerEngine{client: c, api: version.APIVersion}
	b, err := buildkit.New(ctx, "", buildkit.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return c.DialHijack(ctx, "/grpc", "h2c", nil)
	}), buildkit.WithSessionDialer(d.session))
	if err != nil {
		return nil, err
	}
	e := &Engine{Client: b, Kind: Docker, Address: shown(host), SameHost: sameHost(host), docker: d}
	workers, err := awaitWorkers(ctx, b)
	if err != nil {
		return nil, errors.Join(within(ctx, explicitTime, err), b.Close())
	}
	e.describe(workers)
	e.Version = version.Version
	// The label is there with the containerd store only.
	if e.Snapshotter == "" {
		e.Images = &Images{client: c}
	}
	return e, nil
}

// awaitDocker asks until the engine answers or the time is over.
func (p candidate) awaitDocker(ctx context.Context, c *client.Client, host string, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, max(wait, probeTime))
	defer cancel()
	told := time.After(probeTime)
	for {
		err := ping(ctx, c)
		if err == nil || wait == 0 || hopeless(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s: %w", wait, err)
		case <-told:
			p.waiting("the Docker engine at " + shown(host))
		case <-time.After(retryPause):
		}
	}
}

// hopeless reports whether waiting does not change an error: TLS on one side
// only, or certificates that do not fit.
func hopeless(err error) bool {
	var verify *tls.CertificateVerificationError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &verify)
}

// ping asks once. An engine that is starting takes the connection and says nothing.
func ping(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	_, err := c.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("no answer within %s: %w: %w", probeTime, ctx.Err(), err)
	}
	return err
}

// dockerEndpoint finds the engine as the docker CLI does: DOCKER_HOST, the context that
// DOCKER_CONTEXT names, the current one of the docker config, the default socket. It also
// names where the answer stands.
func (p candidate) dockerEndpoint() (from string, _ docker.Endpoint, err error) {
	file, err := config.Load(p.getenv("DOCKER_CONFIG"))
	if err != nil {
		return "", docker.Endpoint{}, badAddress("docker config", "correct the file, or name another directory with DOCKER_CONFIG", "%v", err)
	}
	dir := filepath.Dir(file.Filename)
	if host := p.getenv(client.EnvOverrideHost); host != "" {
		e, err := p.dockerHost(host, dir)
		return client.EnvOverrideHost, e, err
	}
	name, from := p.getenv("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
	if name == "" {
		name, from = file.CurrentContext, "the current docker context"
	}
	if name == "" || name == "default" {
		e, err := p.dockerHost(client.DefaultDockerHost, dir)
		return "the default socket", e, err
	}
	e, err := dockerContext(dir, name)
	if err != nil {
		return "", e, badAddress(from, "`docker context ls` lists the contexts; DOCKER_HOST goes before them", "%q: %v", name, err)
	}
	return "docker context " + name, e, nil
}

// dockerHost is an address with the certificates that the environment names, in the
// meaning that the docker CLI gives the variables.
func (p candidate) dockerHost(host, configDir string) (docker.Endpoint, error) {
	e := docker.Endpoint{EndpointMeta: docker.EndpointMeta{Host: host}}
	verify := p.getenv(client.EnvTLSVerify) != ""
	dir := p.getenv(client.EnvOverrideCertPath)
	if !verify && p.getenv("DOCKER_TLS") == "" {
		return e, nil
	}
	if dir == "" {
		dir = configDir
	}
	var paths [3]string
	for i, f := range tlsFiles {
		if path := filepath.Join(dir, f); verify || exists(path) {
			paths[i] = path
		}
	}
	var err error
	if e.TLSData, err = dockercontext.TLSDataFromFiles(paths[0], paths[1], paths[2]); err != nil {
		return e, badAddress(client.EnvOverrideCertPath, "name a directory with ca.pem, cert.pem and key.pem", "%v", err)
	}
	e.SkipTLSVerify = !verify
	return e, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// dockerContext reads one of the docker CLI's contexts.
func dockerContext(dir, name string) (docker.Endpoint, error) {
	s := store.New(filepath.Join(dir, "contexts"), store.NewConfig(
		func() any { return &map[string]any{} },
		store.EndpointTypeGetter(docker.DockerEndpoint, func() any { return &docker.EndpointMeta{} }),
	))
	meta, err := s.GetMetadata(name)
	if err != nil {
		return docker.Endpoint{}, err
	}
	endpoint, err := docker.EndpointFromContext(meta)
	if err != nil {
		return docker.Endpoint{}, err
	}
	return docker.WithTLSData(s, name, endpoint)
}
