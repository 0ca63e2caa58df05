// Package ecr is a stand-in for Amazon ECR: its API, and an OCI registry for
// the images of each account and region.
package ecr

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

// Options are the settings of registries. All fields are needed.
type Options struct {
	// Account and Region are those of the default registry. Requests that name
	// no account are for this one.
	Account, Region string
	// Host is the host:port of the default registry as answers name it, and
	// Addr the one of its listener.
	Host, Addr string
	// Dir is the directory for blobs.
	Dir   string
	Clock *awsapi.Clock
	// TokenLifetime is the lifetime of an authorization token.
	TokenLifetime time.Duration
	// Listen opens a listener for another registry: it calls open with the
	// listener's host:port, and serves requests with the registry that open
	// returns.
	Listen func(open func(host string) *Registry) (*Registry, error)
}

// Registries are the ECR registries of all accounts and regions.
type Registries struct {
	options         Options
	tokens          *tokenIssuer
	defaultRegistry *Registry
	limits          *limits

	mu  sync.Mutex
	all map[awsapi.AccountRegion]*Registry
}

// New returns the registries, of which only the default one is open.
func New(o Options) *Registries {
	s := &Registries{
		options: o,
		tokens:  &tokenIssuer{clock: o.Clock, lifetime: o.TokenLifetime, issued: map[string]token{}},
		limits:  &limits{Limits: DefaultLimits()},
	}
	s.defaultRegistry = s.open(awsapi.AccountRegion{Account: o.Account, Region: o.Region}, o.Host)
	s.all = map[awsapi.AccountRegion]*Registry{s.defaultRegistry.AccountRegion: s.defaultRegistry}
	return s
}

// Default returns the registry of the default account and region.
func (s *Registries) Default() *Registry { return s.defaultRegistry }

func (s *Registries) open(at awsapi.AccountRegion, host string) *Registry {
	return newRegistry(at, host, filepath.Join(s.options.Dir, at.Account, at.Region), s.options.Clock, s.tokens, s.limits)
}

// at returns the registry of an account and region. Any but the default one is
// opened the first time, with a listener of its own: the registry API tells
// registries apart by their host names.
func (s *Registries) at(p awsapi.AccountRegion) (*Registry, error) {
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
	g, err := s.options.Listen(func(host string) *Registry { return s.open(p, host) })
	if err != nil {
		return nil, fmt.Errorf("registry of account %s in %s: %w", p.Account, p.Region, err)
	}
	s.all[p] = g
	return g, nil
}

func (s *Registries) list() []*Registry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Registry, 0, len(s.all))
	for _, g := range s.all {
		out = append(out, g)
	}
	return out
}

// ApplyPolicies applies every lifecycle policy at once.
func (s *Registries) ApplyPolicies() {
	for _, g := range s.list() {
		g.applyPolicies()
	}
}

// Close stops the stores of blobs.
func (s *Registries) Close() error {
	var errs []error
	for _, g := range s.list() {
		errs = append(errs, g.blobs.close())
	}
	return errors.Join(errs...)
}

// Serving returns the registry that a host name in an image reference stands
// for, nil if the sandbox has none for it.
func (s *Registries) Serving(host string) *Registry {
	if host == s.options.Addr {
		return s.defaultRegistry
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
