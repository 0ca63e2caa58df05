package ecr

import (
	"maps"
	"slices"
	"time"
)

// Tags returns the digest of each tag of a repository, nil if there is no such
// repository.
func (g *Registry) Tags(repository string) map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok := g.repositories[repository]
	if !ok {
		return nil
	}
	return maps.Clone(r.tags)
}

// Digests returns the digests of the images of a repository, tagged or not, in
// order.
func (g *Registry) Digests(repository string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok := g.repositories[repository]
	if !ok {
		return nil
	}
	var out []string
	for _, i := range r.sortedImages() {
		out = append(out, i.digest)
	}
	return out
}

// Children returns the digests that the index of a tag refers to, in its order;
// nil if there is no such index.
func (g *Registry) Children(repository, tag string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r, ok := g.repositories[repository]; ok {
		if i := r.find("", tag); i != nil {
			return i.content.children()
		}
	}
	return nil
}

// Policy returns the text of a repository's lifecycle policy, "" if it has
// none.
func (g *Registry) Policy(repository string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r, ok := g.repositories[repository]; ok {
		return r.policy
	}
	return ""
}

// Archive moves an image to the archive storage class, from where it cannot be
// pulled. The error says that there is no such image.
func (g *Registry) Archive(repository, digest string) error {
	return g.change(repository, digest, func(i *image) { i.setArchived(true, g.clock.Now()) })
}

// setArchived archives or restores; doing it again changes nothing.
func (i *image) setArchived(archived bool, now time.Time) {
	switch {
	case archived && !i.archived:
		i.archivedAt = now
	case !archived && i.archived:
		i.activatedAt = now
	}
	i.archived = archived
}

// Repositories returns the names of the repositories in order.
func (g *Registry) Repositories() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.repositories))
}
