package sandbox

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
)

// place is what an ECR registry belongs to: every account has one per region.
type place struct{ account, region string }

// regionPattern keeps a region that comes from a request harmless as a
// directory name.
var regionPattern = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// registryAt finds the registry of a place. One that is not the default's is
// made the first time, with a listener of its own, since its host name is what
// tells it from the others on the registry API.
func (s *Server) registryAt(p place) (*registry, error) {
	if !accountPattern.MatchString(p.account) {
		return nil, invalid("registryId", "must satisfy regular expression '[0-9]{12}'")
	}
	if !regionPattern.MatchString(p.region) {
		return nil, apiErrorf("InvalidSignatureException", "credential scope names no region: %q", p.region)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.registries[p]; ok {
		return g, nil
	}
	if s.closed {
		return nil, fmt.Errorf("the sandbox is closed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for account %s in %s: %w", p.account, p.region, err)
	}
	g := newRegistry(p, l.Addr().String(), filepath.Join(s.dir, p.account, p.region), s.clock)
	s.registries[p] = g
	s.serve(l, g)
	return g, nil
}

func (s *Server) allRegistries() []*registry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*registry, 0, len(s.registries))
	for _, g := range s.registries {
		out = append(out, g)
	}
	return out
}
