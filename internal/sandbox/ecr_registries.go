package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// ecrOptions are the settings of registries. All fields are needed.
type ecrOptions struct {
	// Account and Region are those of the default registry. Requests that name
	// no account are for this one.
	Account, Region string
	// Host is the host:port of the default registry as answers name it, and Addr
	// the one of its listener.
	Host, Addr string
	// Dir is the directory for blobs.
	Dir   string
	Clock *awsapi.Clock
	// TokenLifetime is the lifetime of an authorization token.
	TokenLifetime time.Duration
	// Listen opens a listener for another registry: it calls open with the
	// listener's host:port, and serves requests with the registry that open returns.
	Listen func(open func(host string) *registry) (*registry, error)
}

// registries are the ECR registries of all accounts and regions.
type registries struct {
	options ecrOptions
	tokens  *tokenBook
	home    *registry

	mu  sync.Mutex
	all map[awsapi.AccountRegion]*registry
}

func newRegistries(o ecrOptions) *registries {
	s := &registries{
		options: o,
		tokens:  &tokenBook{clock: o.Clock, lifetime: o.TokenLifetime, issued: map[string]token{}},
	}
	s.home = s.open(awsapi.AccountRegion{Account: o.Account, Region: o.Region}, o.Host)
	s.all = map[awsapi.AccountRegion]*registry{s.home.AccountRegion: s.home}
	return s
}

// Default returns the registry of the default account and region.
func (s *registries) Default() *registry { return s.home }

func (s *registries) open(at awsapi.AccountRegion, host string) *registry {
	return newRegistry(at, host, filepath.Join(s.options.Dir, at.Account, at.Region), s.options.Clock, s.tokens)
}

// at returns the registry of an account and region. Any but the default one is
// opened the first time, with a listener of its own: the registry API tells
// registries apart by their host names.
func (s *registries) at(p awsapi.AccountRegion) (*registry, error) {
	if !awsapi.ValidAccount(p.Account) {
		return nil, awsapi.InvalidParameter("registryId", "must satisfy regular expression '[0-9]{12}'")
	}
	if err := awsapi.CheckRegion(p.Region); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.all[p]; ok {
		return g, nil
	}
	g, err := s.options.Listen(func(host string) *registry { return s.open(p, host) })
	if err != nil {
		return nil, fmt.Errorf("registry of account %s in %s: %w", p.Account, p.Region, err)
	}
	s.all[p] = g
	return g, nil
}

func (s *registries) list() []*registry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*registry, 0, len(s.all))
	for _, g := range s.all {
		out = append(out, g)
	}
	return out
}

// ApplyPolicies applies every lifecycle policy at once.
func (s *registries) ApplyPolicies() {
	for _, g := range s.list() {
		g.applyPolicies()
	}
}

// Close stops the stores of blobs.
func (s *registries) Close() error {
	var errs []error
	for _, g := range s.list() {
		errs = append(errs, g.blobs.close())
	}
	return errors.Join(errs...)
}

// Serving returns the registry that a host name in an image reference stands
// for, nil if the sandbox has none for it.
func (s *registries) Serving(host string) *registry {
	if host == s.options.Addr {
		return s.home
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.all {
		if g.host == host {
			return g
		}
	}
	if m := registryHost.FindStringSubmatch(host); m != nil {
		return s.all[awsapi.AccountRegion{Account: cmp.Or(m[1], s.options.Account), Region: cmp.Or(m[2], m[3])}]
	}
	return nil
}

// registryHost matches the hosts of an ECR registry: the plain one, FIPS, dual
// stack, and an interface VPC endpoint's, which names no account. Sources:
// "Amazon ECR endpoints and quotas" in the AWS General Reference, "Amazon ECR
// interface VPC endpoints" in the ECR user guide.
var registryHost = regexp.MustCompile(`^(?:([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)|` +
	`vpce-[0-9a-z-]+\.dkr\.ecr\.([a-z0-9-]+)\.vpce\.amazonaws\.com(?:\.cn)?)$`)
