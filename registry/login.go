package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"golang.org/x/sync/singleflight"

	"slipway/internal/awsclient"
)

const (
	// tokenLife is how long a token lasts when the answer does not say.
	// Source: GetAuthorizationToken's API reference.
	tokenLife = 12 * time.Hour
	// maxMargin is the longest time before its end that a token is renewed.
	maxMargin = 15 * time.Minute
	// fetchTimeout bounds a fetch, which outlives the caller that began it
	// when others wait for it too.
	fetchTimeout = time.Minute
)

// Credentials log in to a registry.
type Credentials struct {
	// Username is AWS for every ECR registry.
	Username string
	// Password is the token.
	Password Secret
}

// Logins hands out ECR tokens. They stay in memory, one per region, since a
// token is good for every registry that its principal may reach (source:
// GetAuthorizationToken's API reference), and are renewed before they expire.
// A Logins may be used by several goroutines at once.
type Logins struct {
	clients Clients
	now     func() time.Time
	flight  singleflight.Group

	mu      sync.Mutex
	regions map[string]string // by registry host
	tokens  map[string]token  // by region
}

type token struct {
	Credentials
	renew, expires time.Time
}

// NewLogins returns Logins that knows no host yet. now returns the time, and is
// time.Now outside of tests.
func NewLogins(clients Clients, now func() time.Time) *Logins {
	return &Logins{
		clients: clients,
		now:     now,
		regions: map[string]string{},
		tokens:  map[string]token{},
	}
}

// Register says that host, with its port if it has one, is an ECR registry of
// region. Only hosts that an answer of AWS named may be registered, such as
// that of a repository's URI.
func (l *Logins) Register(host, region string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.regions[strings.ToLower(host)] = region
}

// Credentials returns what logs in to host, and false when host was neither
// registered as an ECR registry nor has a name that ParseHost takes. Callers
// that ask at once share one request. A token that cannot be renewed is handed
// out for as long as it is valid.
func (l *Logins) Credentials(ctx context.Context, host string) (Credentials, bool, error) {
	region, cached, ok := l.lookup(host)
	if !ok {
		return Credentials{}, false, nil
	}
	if l.now().Before(cached.renew) {
		return cached.Credentials, true, nil
	}
	fetched := l.flight.DoChan(region, func() (any, error) { return l.fetch(ctx, region) })
	select {
	case <-ctx.Done():
		return Credentials{}, true, fmt.Errorf("logging in to %s: %w", host, context.Cause(ctx))
	case result := <-fetched:
		if result.Err == nil {
			return result.Val.(Credentials), true, nil
		}
		if l.now().Before(cached.expires) {
			return cached.Credentials, true, nil
		}
		return Credentials{}, true, fmt.Errorf("logging in to %s: %w", host, result.Err)
	}
}

// Invalidate drops the token for host after the registry refused it, so that
// the next Credentials asks for another.
func (l *Logins) Invalidate(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if region, ok := l.region(host); ok {
		delete(l.tokens, region)
	}
}

// region returns the region of a host that a token may be sent to. The caller
// holds the lock.
func (l *Logins) region(host string) (string, bool) {
	if region, ok := l.regions[strings.ToLower(host)]; ok {
		return region, true
	}
	h, ok := ParseHost(host)
	return h.Region, ok
}

func (l *Logins) lookup(host string) (string, token, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	region, ok := l.region(host)
	return region, l.tokens[region], ok
}

// fetch asks for a token on behalf of every caller that waits for it, so it
// does not end with the first of them.
func (l *Logins) fetch(ctx context.Context, region string) (Credentials, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	asked := l.now()
	l.mu.Lock()
	have := l.tokens[region]
	l.mu.Unlock()
	if asked.Before(have.renew) { // a fetch ended between the caller's look and this one
		return have.Credentials, nil
	}
	answer, err := l.clients(region).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return Credentials{}, err
	}
	if len(answer.AuthorizationData) == 0 {
		return Credentials{}, awsclient.Incomplete("ECR", "GetAuthorizationToken", "a token")
	}
	data := answer.AuthorizationData[0]
	creds, err := decodeToken(aws.ToString(data.AuthorizationToken))
	if err != nil {
		return Credentials{}, err
	}
	expires := asked.Add(tokenLife)
	if data.ExpiresAt != nil {
		expires = *data.ExpiresAt
	}
	margin := min(expires.Sub(asked)/10, maxMargin)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens[region] = token{Credentials: creds, renew: expires.Add(-margin), expires: expires}
	return creds, nil
}

// decodeToken reads the base64 form of user:password. Its errors never quote
// what they could not read.
func decodeToken(s string) (Credentials, error) {
	plain, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return Credentials{}, errors.New("the token is not base64")
	}
	user, password, ok := strings.Cut(string(plain), ":")
	if !ok || user == "" || password == "" {
		return Credentials{}, errors.New("the token is not of the form user:password")
	}
	return Credentials{Username: user, Password: NewSecret(password)}, nil
}
