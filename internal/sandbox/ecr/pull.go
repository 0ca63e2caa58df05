package ecr

import "context"

// Digest returns the digest of the image that a digest, a tag or both name in a
// repository, "" if there is none.
func (g *Registry) Digest(repository, digest, tag string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := g.image(repository, digest, tag); i != nil {
		return i.digest
	}
	return ""
}

// Pull is Digest for an image that is about to be pulled: it records the time
// as the image's last pull. An archived image cannot be pulled.
func (g *Registry) Pull(repository, digest, tag string) (found string, archived bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.image(repository, digest, tag)
	if i == nil {
		return "", false
	}
	if !i.archived {
		i.pulledAt = g.clock.Now()
	}
	return i.digest, i.archived
}

// Manifest returns the manifest of an image, nil if a repository has no such
// image.
func (g *Registry) Manifest(repository, digest string) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := g.image(repository, digest, ""); i != nil {
		return i.manifest
	}
	return nil
}

// Blob returns a blob of a repository. The error wraps errNoBlob if there is
// none.
func (g *Registry) Blob(ctx context.Context, repository, digest string) ([]byte, error) {
	return g.blobs.blob(ctx, repository, digest)
}

// image finds the image that a digest, a tag or both name; the caller holds mu.
func (g *Registry) image(repository, digest, tag string) *image {
	r := g.repositories[repository]
	if r == nil {
		return nil
	}
	return r.find(digest, tag)
}
