package solve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"slipway/build/target"
)

// pushWithRetry repeats what ends in a push, as long as it is the push that fails. The
// engine's own retries last seven seconds and do not wait after a 429.
func (r *run) pushWithRetry(ctx context.Context, service string, push func() error) error {
	for attempt := 1; ; attempt++ {
		err := push()
		var failed *FailedError
		if err == nil || !errors.As(err, &failed) || !failed.Pushing || attempt >= r.options.Retry.Attempts {
			return err
		}
		pause := r.options.Retry.pause(attempt)
		if refused(failed.Err) {
			// Once more with a new login, in case the old one had run out.
			if attempt > 1 || r.options.Renew == nil || !r.options.Renew(service) {
				return err
			}
			pause = 0
		}
		if r.options.Retrying != nil {
			r.options.Retrying(service, attempt, pause, failed.Err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// digestIn returns the reference of a manifest in the repository of a push.
func digestIn(p target.Push, digest string) (name.Digest, error) {
	var opts []name.Option
	if p.Insecure {
		opts = append(opts, name.Insecure)
	}
	return name.NewDigest(p.Repository+"@"+digest, opts...)
}

// pushJobs is how many layers of an image are pushed at once.
const pushJobs = 4

// remote says how to talk to a registry: with the login of this moment, and without
// retries, which are pushWithRetry's.
func (r *run) remote(ctx context.Context, host string) ([]remote.Option, error) {
	login, err := r.options.Login(ctx, host)
	if err != nil {
		return nil, err
	}
	return []remote.Option{remote.WithContext(ctx), remote.WithAuth(authenticator(login)), remote.WithTransport(bound{registryTransport, host, login}), remote.WithJobs(pushJobs), remote.WithRetryBackoff(remote.Backoff{Steps: 1})}, nil
}

// pushStep shows a push of our own as the engine shows its steps.
func (r *run) pushStep(service string, push func() (string, error)) (string, error) {
	if r.options.Status == nil {
		return push()
	}
	start := time.Now()
	step := client.Vertex{Digest: digest.FromString(fmt.Sprint("push of ", service, start.UnixNano())), Name: "pushing " + r.options.Push[service].Repository, Started: &start}
	show := func(v client.Vertex) {
		r.options.Status(service, &client.SolveStatus{Vertexes: []*client.Vertex{&v}})
	}
	show(step)
	pushed, err := push()
	end := time.Now()
	step.Completed = &end
	if err != nil {
		step.Error = err.Error()
	}
	show(step)
	return pushed, err
}
