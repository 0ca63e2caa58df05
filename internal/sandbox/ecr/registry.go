package ecr

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// Registry is the ECR registry of one account in one region, which the ECR API
// and the registry API share.
type Registry struct {
	awsapi.AccountRegion
	host   string // as answers name it
	clock  *awsapi.Clock
	blobs  *blobStore
	tokens *tokenIssuer
	key    []byte // of the signatures of download URLs
	limits *limits

	mu           sync.Mutex
	repositories map[string]*repository
	settings     map[string]string // account settings by name
	uploads      map[string]*layerUpload
}

// repository, its images included, is guarded by mu of its registry.
type repository struct {
	name         string
	createdAt    time.Time
	mutability   tagMutability
	scanOnPush   bool
	encryption   encryptionConfiguration
	resourceTags map[string]string
	images       map[string]*image // by digest
	tags         map[string]string // digest by tag
	policy       string            // lifecycle policy text, "" if none
	evaluatedAt  time.Time
	preview      *policyPreview
}

type image struct {
	digest      string
	mediaType   string
	manifest    []byte
	content     manifestContent
	pushedAt    time.Time
	pulledAt    time.Time // zero if never
	archivedAt  time.Time // when last archived, zero if never
	activatedAt time.Time // when last restored, zero if never
	archived    bool
	scan        *Scan     // nil if never scanned
	signings    []Signing // one for each profile
}

func newRegistry(p awsapi.AccountRegion, host, dir string, c *awsapi.Clock, t *tokenIssuer, l *limits) *Registry {
	return &Registry{
		AccountRegion: p,
		host:          host,
		clock:         c,
		blobs:         newBlobStore(dir),
		tokens:        t,
		key:           []byte(rand.Text()),
		limits:        l,
		uploads:       map[string]*layerUpload{},
		repositories:  map[string]*repository{},
		settings:      map[string]string{},
	}
}

// repository returns a repository by name; the caller holds mu.
func (g *Registry) repository(name string) (*repository, error) {
	r, ok := g.repositories[name]
	if !ok {
		return nil, awsapi.Errorf("RepositoryNotFoundException",
			"The repository with name '%s' does not exist in the registry with id '%s'", name, g.Account)
	}
	return r, nil
}

// find returns the image of a digest, a tag, or both; nil if there is none.
func (r *repository) find(digest, tag string) *image {
	if tag == "" {
		return r.images[digest]
	}
	tagged := r.tags[tag]
	if digest != "" && digest != tagged {
		return nil
	}
	return r.images[tagged]
}

// tagsOf returns the tags of an image in order.
func (r *repository) tagsOf(digest string) []string {
	var out []string
	for tag, d := range r.tags {
		if d == digest {
			out = append(out, tag)
		}
	}
	slices.Sort(out)
	return out
}

// parentsOf returns the indexes that refer to an image.
func (r *repository) parentsOf(digest string) []string {
	var out []string
	for _, i := range r.images {
		if slices.Contains(i.content.children(), digest) {
			out = append(out, i.digest)
		}
	}
	slices.Sort(out)
	return out
}

// remove deletes an image with its tags.
func (r *repository) remove(digest string) {
	delete(r.images, digest)
	maps.DeleteFunc(r.tags, func(_, d string) bool { return d == digest })
}

// sizeOf returns ECR's imageSizeInBytes: for an index, the size of its largest
// image.
func (r *repository) sizeOf(i *image) int64 {
	size := i.content.ownSize()
	for _, child := range i.content.children() {
		if c, ok := r.images[child]; ok {
			size = max(size, r.sizeOf(c))
		}
	}
	return size
}

// sortedImages returns the images by digest, the order of pages.
func (r *repository) sortedImages() []*image {
	return slices.SortedFunc(maps.Values(r.images), func(a, b *image) int {
		return cmp.Compare(a.digest, b.digest)
	})
}

// putRequest is a request of either API to store a manifest.
type putRequest struct {
	repository string
	manifest   []byte
	mediaType  string
	tag        string // "" to push by digest
}

func digestOf(manifest []byte) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(manifest))
}

// put stores a manifest and moves the tag to it. Its errors are of the type
// awsapi.Error: RepositoryNotFoundException, ImageTagAlreadyExistsException if
// the tag is immutable, ImageAlreadyExistsException if nothing would change,
// LayersNotFoundException, ReferencedImagesNotFoundException,
// LimitExceededException for a quota, or InvalidParameterException with the
// registry's reason.
func (g *Registry) put(ctx context.Context, p putRequest) (*image, error) {
	content, err := parseManifest(p.manifest)
	if err != nil {
		return nil, awsapi.InvalidParameter("imageManifest", err.Error())
	}
	digest := digestOf(p.manifest)
	p.mediaType = cmp.Or(p.mediaType, content.MediaType)
	if err := g.mayPut(p, digest, content); err != nil {
		return nil, err
	}
	if !g.hasImage(p.repository, digest) { // otherwise just the tag is new
		if err := g.store(ctx, p, digest, content); err != nil {
			return nil, err
		}
	}
	return g.record(p, digest, content)
}

// hasImage reports whether a repository has an image.
func (g *Registry) hasImage(repository, digest string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, err := g.repository(repository)
	return err == nil && r.images[digest] != nil
}

// store stores a manifest whose layers are there.
func (g *Registry) store(ctx context.Context, p putRequest, digest string, content manifestContent) error {
	if err := g.needLayers(ctx, p.repository, content); err != nil {
		return err
	}
	a, err := g.blobs.putManifest(ctx, p.repository, digest, p.mediaType, p.manifest)
	if err == nil && a.status != http.StatusCreated {
		err = awsapi.InvalidParameter("imageManifest", "must be a valid manifest: "+a.body.String())
	}
	return err
}

func (g *Registry) mayPut(p putRequest, digest string, content manifestContent) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, err := g.repository(p.repository)
	if err != nil {
		return err
	}
	if err := g.mayTag(r, p.tag, digest); err != nil {
		return err
	}
	for _, child := range content.children() {
		if r.images[child] == nil {
			return awsapi.Errorf("ReferencedImagesNotFoundException",
				"Requested image refers to '%s', which does not exist in the repository with name '%s' in the registry with id '%s'",
				child, r.name, g.Account)
		}
	}
	return g.checkLimits(r, p.tag, digest, content)
}

// mayTag returns an error for a put that would change nothing and for an
// immutable tag; the caller holds mu.
func (g *Registry) mayTag(r *repository, tag, digest string) error {
	current, tagged := r.tags[tag]
	_, known := r.images[digest]
	switch {
	case known && (tag == "" || current == digest):
		return awsapi.Errorf("ImageAlreadyExistsException",
			"Image with digest '%s' and tag '%s' already exists in the repository with name '%s' in registry with id '%s'",
			digest, cmp.Or(tag, "null"), r.name, g.Account)
	case tag != "" && tagged && r.mutability.fixed(tag):
		return awsapi.Errorf("ImageTagAlreadyExistsException",
			"The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.",
			tag, r.name)
	}
	return nil
}

func (g *Registry) needLayers(ctx context.Context, repository string, content manifestContent) error {
	var missing []string
	for _, digest := range content.blobs() {
		size, err := g.blobs.blobSize(ctx, repository, digest)
		if err != nil {
			return err
		}
		if size < 0 {
			missing = append(missing, digest)
		}
	}
	if missing == nil {
		return nil
	}
	return awsapi.Errorf("LayersNotFoundException",
		"The layers %s required by the image do not exist in the repository with name '%s' in the registry with id '%s'",
		missing, repository, g.Account)
}

// record adds a stored manifest to its repository. It checks the tag again,
// since another put may have moved it.
func (g *Registry) record(p putRequest, digest string, content manifestContent) (*image, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, err := g.repository(p.repository)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(g.mayTag(r, p.tag, digest), g.checkLimits(r, p.tag, digest, content)); err != nil {
		return nil, err
	}
	i, ok := r.images[digest]
	if !ok {
		i = &image{
			digest: digest, mediaType: p.mediaType, manifest: p.manifest, content: content,
			pushedAt: g.clock.Now(),
		}
		r.images[digest] = i
	}
	if p.tag != "" {
		r.tags[p.tag] = digest
	}
	return i, nil
}
