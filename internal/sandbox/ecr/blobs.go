package ecr

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the driver configured below
	"github.com/sirupsen/logrus"
)

// blobStore is a distribution registry that keeps the blobs and manifests of
// one ECR registry. It has no tags: Registry keeps them, so that a tag moves in
// one place, under one lock.
type blobStore struct {
	app *handlers.App
	dir string
}

func newBlobStore(dir string) *blobStore {
	config := &configuration.Configuration{
		Storage: configuration.Storage{
			"filesystem": {"rootdirectory": dir},
			"redirect":   {"disable": true},
			"maintenance": {
				"uploadpurging": map[any]any{"enabled": false},
			},
		},
		// The references of an index are checked by Registry.
		Validation: configuration.Validation{Disabled: true},
	}
	config.HTTP.Secret = rand.Text()
	config.HTTP.RelativeURLs = true // right behind any proxy
	return &blobStore{app: handlers.NewApp(silent(context.Background()), config), dir: dir}
}

// ServeHTTP passes a request on to the registry.
func (b *blobStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.app.ServeHTTP(w, r.WithContext(silent(r.Context())))
}

func (b *blobStore) close() error { return b.app.Shutdown() }

// forget removes the content of a repository; repositories below its name stay.
func (b *blobStore) forget(repository string) error {
	root := filepath.Join(b.dir, "docker/registry/v2/repositories", filepath.FromSlash(repository))
	for _, part := range []string{"_layers", "_manifests", "_uploads"} {
		if err := os.RemoveAll(filepath.Join(root, part)); err != nil {
			return fmt.Errorf("removing repository %q: %w", repository, err)
		}
	}
	return nil
}

// putManifest stores a manifest under its digest and returns the answer of the
// distribution registry. Its status is 201 if the manifest was stored.
func (b *blobStore) putManifest(ctx context.Context, repository, digest, mediaType string, manifest []byte) (*answer, error) {
	path := "/v2/" + repository + "/manifests/" + digest
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, path, bytes.NewReader(manifest))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", mediaType)
	a := newAnswer()
	b.ServeHTTP(a, r)
	return a, nil
}

// blobSize returns the size of a blob of a repository, -1 if it has no such
// blob.
func (b *blobStore) blobSize(ctx context.Context, repository, digest string) (int64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, "/v2/"+repository+"/blobs/"+digest, http.NoBody)
	if err != nil {
		return -1, err
	}
	a := newAnswer()
	b.ServeHTTP(a, r)
	if a.status != http.StatusOK {
		return -1, nil
	}
	var size int64
	if _, err := fmt.Sscan(a.header.Get("Content-Length"), &size); err != nil {
		return -1, fmt.Errorf("size of blob %s: %w", digest, err)
	}
	return size, nil
}

var errNoBlob = errors.New("blob unknown to registry")

// blob returns a small blob.
func (b *blobStore) blob(ctx context.Context, repository, digest string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/v2/"+repository+"/blobs/"+digest, http.NoBody)
	if err != nil {
		return nil, err
	}
	a := newAnswer()
	b.ServeHTTP(a, r)
	if a.status != http.StatusOK {
		return nil, fmt.Errorf("%s: %w", digest, errNoBlob)
	}
	return a.body.Bytes(), nil
}

// answer is a response kept in memory.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{status: http.StatusOK, header: http.Header{}} }

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// silent returns a context with which the distribution library does not log.
// The library reads its logger from the context under a key that it does not
// export, and otherwise uses logrus's global one, which belongs to the whole
// process. So the key is recognized by its type's name.
func silent(ctx context.Context) context.Context {
	l := logrus.New()
	l.SetOutput(io.Discard)
	l.SetLevel(logrus.PanicLevel)
	return silentContext{ctx, logrus.NewEntry(l)}
}

type silentContext struct {
	context.Context
	entry *logrus.Entry
}

// Value returns the logger for the distribution library's key.
func (c silentContext) Value(key any) any {
	if fmt.Sprintf("%T", key) == "dcontext.loggerKey" {
		return c.entry
	}
	return c.Context.Value(key)
}
