package build

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
)

// ImageStore holds the images of an engine that has no registry client of its own.
type ImageStore interface {
	// Name is a new name for an image.
	Name() string
	// Save is the image as `docker save` writes it.
	Save(ctx context.Context, name string) (io.ReadCloser, error)
	// Remove takes the name from the image, whatever else keeps it.
	Remove(ctx context.Context, name string) error
}

// exporterMoby is the one exporter of a Docker engine with the classic store.
const exporterMoby = "moby"

// solveIntoStore has the engine put the image into its store, and pushes it from there by
// digest. The digest is that of the pushed manifest: what the engine names is another one.
func (r *run) solveIntoStore(ctx context.Context, p part, opt client.SolveOpt) (string, error) {
	image := p.Store.Name()
	opt.Exports = []client.ExportEntry{{Type: exporterMoby, Attrs: map[string]string{"name": image}}}
	// Also when ctx has ended: nobody else knows the name, and an interrupted engine may
	// have given it already.
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
		defer cancel()
		// What stays is removed by a later job.
		_ = p.Store.Remove(ctx, image)
	}()
	config, err := r.ask(ctx, p.worker, p.target, opt)
	if err != nil {
		return "", err
	}
	// The store names an image by its configuration.
	if digest := r.options.Push[p.target.Service].Built[config]; digest != "" {
		return digest, nil
	}
	digest, err := r.pushStep(p.target.Service, func() (string, error) { return r.pushSaved(ctx, p, image) })
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return "", cause
	}
	if err != nil {
		return "", &FailedError{Service: p.target.Service, Pushing: true, Err: err}
	}
	return digest, nil
}

// removeTime is how long a Docker engine may take to forget an image.
const removeTime = 30 * time.Second

// pushSaved reads the image back from the store and pushes it.
func (r *run) pushSaved(ctx context.Context, p part, image string) (string, error) {
	push := r.options.Push[p.target.Service]
	stream, err := p.Store.Save(ctx, image)
	if err != nil {
		return "", fmt.Errorf("reading the image back: %w", err)
	}
	defer stream.Close()
	saved, err := unpack(ctx, stream, p.target.Compression, push)
	if err != nil {
		return "", fmt.Errorf("reading the image back: %w", err)
	}
	defer saved.close()
	hash, err := saved.image.Digest()
	if err != nil {
		return "", err
	}
	ref, err := push.digest(hash.String())
	if err != nil {
		return "", err
	}
	options, err := r.remote(ctx, ref.RegistryStr())
	if err != nil {
		return "", err
	}
	return hash.String(), remote.Write(ref, saved.image, options...)
}

// digest is a manifest in the repository of the push.
func (p Push) digest(digest string) (name.Digest, error) {
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
	return []remote.Option{remote.WithContext(ctx), remote.WithAuth(authenticator(login)), remote.WithJobs(pushJobs), remote.WithRetryBackoff(remote.Backoff{Steps: 1})}, nil
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

// join pushes an index of what the engines pushed.
func (r *run) join(ctx context.Context, t Target, digests []string) (string, error) {
	pushed, err := r.pushStep(t.Service, func() (string, error) {
		push := r.options.Push[t.Service]
		first, err := push.digest(digests[0])
		if err != nil {
			return "", err
		}
		options, err := r.remote(ctx, first.RegistryStr())
		if err != nil {
			return "", err
		}
		return pushIndex(push, t.Platforms, digests, options)
	})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return "", cause
	}
	if err != nil {
		return "", &FailedError{Service: t.Service, Pushing: true, Err: err}
	}
	return pushed, nil
}
