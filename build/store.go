package build

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/buildkit/client"
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
