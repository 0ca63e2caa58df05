package solve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/containerd/platforms"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"

	"slipway/build/target"
	"slipway/internal/fault"
)

// PullError says that an image cannot be pulled.
type PullError struct {
	Image string
	// Status is the registry's HTTP status, 0 where there was no answer.
	Status int
	Err    error
}

// Error names the image and what the registry answered.
func (e *PullError) Error() string {
	switch e.Status {
	case http.StatusTooManyRequests:
		return fmt.Sprintf("%s: its registry limits how often this address or login may pull: %v", e.Image, e.Err)
	case http.StatusNotFound:
		return fmt.Sprintf("%s: there is no such image: %v", e.Image, e.Err)
	default:
		return fmt.Sprintf("%s: %v", e.Image, e.Err)
	}
}

// Unwrap returns the cause.
func (e *PullError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *PullError) Hint() string {
	switch e.Status {
	case http.StatusTooManyRequests:
		return "wait, log in to the registry (docker login), or take the image from elsewhere: public.ecr.aws/docker/library/… has Docker Hub's official ones, and ECR pull through cache rules mirror the others"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "check the image's name, which registries answer like this too when it is wrong, and log in to the registry (docker login; images in ECR need ecr:BatchGetImage and ecr:GetDownloadUrlForLayer)"
	case http.StatusNotFound:
		return "correct the image's name or tag in the Dockerfile"
	case 0:
		return "check the name of the registry, the network and HTTPS_PROXY"
	default:
		return "try again later: the registry has trouble of its own"
	}
}

// Head asks an image's registry from this host for the image's digest, by a request
// that does not count as a pull. The error is a *PullError, or an *fault.InputError
// for a name that is not valid.
func Head(ctx context.Context, image string, login AuthFunc) (digest string, err error) {
	ref, err := name.ParseReference(image)
	if err != nil {
		return "", fault.NewInput("the Dockerfile", err.Error(), "correct the image's name")
	}
	auth, err := login(ctx, loginHost(ref.Context().RegistryStr()))
	if err != nil {
		return "", &PullError{Image: image, Err: err}
	}
	pulls := &pullCount{inner: bound{registryTransport, ref.Context().RegistryStr(), auth}}
	found, err := remote.Head(ref, remote.WithContext(ctx), remote.WithAuth(authenticator(auth)), remote.WithTransport(pulls), remote.WithRetryBackoff(remote.Backoff{Steps: 1}))
	var answer *transport.Error
	switch {
	case err == nil && pulls.none.Load():
		return "", &PullError{Image: image, Status: http.StatusTooManyRequests, Err: errors.New("no pulls are left")}
	case err == nil:
		return found.Digest.String(), nil
	case errors.As(err, &answer):
		return "", &PullError{Image: image, Status: answer.StatusCode, Err: errors.New(cmp.Or(http.StatusText(answer.StatusCode), err.Error()))}
	default:
		return "", &PullError{Image: image, Err: err}
	}
}

// pullCount looks for what Docker Hub says of the pulls that are left: a HEAD request is
// answered when there are none, but none follows ("Pull usage and limits" in its manual).
type pullCount struct {
	inner http.RoundTripper
	none  atomic.Bool
}

// RoundTrip reads the header RateLimit-Remaining, such as "76;w=21600".
func (c *pullCount) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if left, _, _ := strings.Cut(resp.Header.Get("RateLimit-Remaining"), ";"); left == "0" {
		c.none.Store(true)
	}
	return resp, nil
}

// loginHost is the name under which the engine asks for a login of Docker Hub.
func loginHost(host string) string {
	if host == name.DefaultRegistry {
		return "registry-1.docker.io"
	}
	return host
}

func authenticator(c types.AuthConfig) authn.Authenticator {
	if c == (types.AuthConfig{}) {
		return authn.Anonymous
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: c.Username, Password: c.Password, Auth: c.Auth,
		IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken,
	})
}

// Resolved has the answers of an engine about an image.
type Resolved struct {
	Digest string
	// Config is the image's configuration.
	Config []byte
	// Err is the engine's words where it did not find the image.
	Err error
}

// Resolve lets an engine resolve images as it would for a build: over its own network, by
// its mirrors, with the logins given. It reads manifests and configurations and leaves no
// record of a build. The results stand in the order of the images; err is for what went
// wrong before any was asked for.
func Resolve(ctx context.Context, c *client.Client, bases []target.Base, login AuthFunc) (each []Resolved, err error) {
	each = make([]Resolved, len(bases))
	opt := client.SolveOpt{Session: []session.Attachable{newAuth(login)}, Internal: true}
	_, err = c.Build(ctx, opt, product, func(ctx context.Context, g gateway.Client) (*gateway.Result, error) {
		var all sync.WaitGroup
		for i, b := range bases {
			all.Go(func() { each[i] = resolveOne(ctx, g, b) })
		}
		all.Wait()
		return gateway.NewResult(), nil
	}, nil)
	return each, err
}

func resolveOne(ctx context.Context, g gateway.Client, b target.Base) Resolved {
	opt := sourceresolver.Opt{LogName: "load metadata for " + b.Image, ImageOpt: &sourceresolver.ResolveImageOpt{}}
	if b.Platform != "" {
		p, err := platforms.Parse(b.Platform)
		if err != nil {
			return Resolved{Err: err}
		}
		opt.ImageOpt.Platform = &p
	}
	_, digest, config, err := g.ResolveImageConfig(ctx, b.Image, opt)
	return Resolved{digest.String(), config, err}
}
