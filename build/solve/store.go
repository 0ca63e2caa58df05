package solve

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/buildkit/client"

	"slipway/build/target"
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
func (r *run) solveIntoStore(ctx context.Context, p platformBuild, opt client.SolveOpt) (string, error) {
	image := p.Store.Name()
	opt.Exports = []client.ExportEntry{{Type: exporterMoby, Attrs: map[string]string{"name": image}}}
	// Also when ctx has ended: no other process knows the name, and an interrupted
	// engine may have given it already.
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
	back, err := r.readBack(ctx, p, image)
	if err != nil {
		return "", r.failed(ctx, p.target, false, err)
	}
	defer back.close()
	digest, err := r.pushStep(p.target.Service, func() (string, error) { return r.pushSaved(ctx, p, back) })
	if err != nil {
		return "", r.failed(ctx, p.target, true, err)
	}
	return digest, nil
}

// failed is the error of what was done here rather than by the engine.
func (r *run) failed(ctx context.Context, t target.Target, pushing bool, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return &FailedError{Service: t.Service, Pushing: pushing, Err: err}
}

// removeTime is how long a Docker engine may take to forget an image.
const removeTime = 30 * time.Second

// readBack takes the image out of the store, into files of this host.
func (r *run) readBack(ctx context.Context, p platformBuild, image string) (*saved, error) {
	stream, err := p.Store.Save(ctx, image)
	if err != nil {
		return nil, fmt.Errorf("reading the image back from the engine: %w", err)
	}
	defer stream.Close()
	out, err := unpack(ctx, stream, p.target.Compression, r.options.Push[p.target.Service])
	if err != nil {
		return nil, fmt.Errorf("reading the image back from the engine into %s, which takes room for about twice the image (TMPDIR names another place): %w", os.TempDir(), err)
	}
	return out, nil
}

// pushSaved pushes an image by digest.
func (r *run) pushSaved(ctx context.Context, p platformBuild, image *saved) (string, error) {
	hash, err := image.image.Digest()
	if err != nil {
		return "", err
	}
	ref, err := digestIn(r.options.Push[p.target.Service], hash.String())
	if err != nil {
		return "", err
	}
	options, err := r.remote(ctx, ref.RegistryStr())
	if err != nil {
		return "", err
	}
	return hash.String(), remote.Write(ref, image.image, options...)
}
