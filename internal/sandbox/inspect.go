package sandbox

import (
	"fmt"
	"maps"
	"time"
)

// home is the registry of the default account and region.
func (s *Server) home() *registry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.registries[place{s.options.Account, s.options.Region}]
}

// Tags is digest by tag of a repository in the default account and region,
// nil if there is no such repository.
func (s *Server) Tags(repository string) map[string]string {
	g := s.home()
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok := g.repositories[repository]
	if !ok {
		return nil
	}
	return maps.Clone(r.tags)
}

// Digests lists the images of a repository in the default account and region,
// tagged or not, in order of their digests.
func (s *Server) Digests(repository string) []string {
	g := s.home()
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

// Repositories lists the repositories of the default account and region in
// order of their names.
func (s *Server) Repositories() []string { return s.home().repositoryNames() }

// Policy is the text of a repository's lifecycle policy in the default account
// and region, "" if it has none.
func (s *Server) Policy(repository string) string {
	g := s.home()
	g.mu.Lock()
	defer g.mu.Unlock()
	if r, ok := g.repositories[repository]; ok {
		return r.policy
	}
	return ""
}

// Archive moves an image to the archive storage class, from where it cannot be
// pulled. The error says that there is no such image.
func (s *Server) Archive(repository, digest string) error {
	g := s.home()
	g.mu.Lock()
	defer g.mu.Unlock()
	r, err := g.repository(repository)
	if err != nil {
		return err
	}
	i := r.images[digest]
	if i == nil {
		return fmt.Errorf("archiving: repository %q has no image %s", repository, digest)
	}
	i.setArchived(true, g.clock.Now())
	return nil
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
