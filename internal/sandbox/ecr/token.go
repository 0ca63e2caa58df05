package ecr

import (
	"crypto/rand"
	"sync"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// tokenIssuer issues authorization tokens and checks them.
type tokenIssuer struct {
	clock    *awsapi.Clock
	lifetime time.Duration

	mu     sync.Mutex
	issued map[string]token
}

type token struct {
	region  string
	expires time.Time
}

// issue returns a token for the registries of a region: ECR's tokens are valid
// for every account that their principal may use, but in one region.
func (b *tokenIssuer) issue(region string) (password string, expires time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	password = rand.Text()
	expires = b.clock.Now().Add(b.lifetime)
	b.issued[password] = token{region, expires}
	return password, expires
}

type tokenState int

const (
	tokenUnknown tokenState = iota
	tokenGood
	tokenExpired
)

func (b *tokenIssuer) check(password, region string) tokenState {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.issued[password]
	switch {
	case !ok || t.region != region:
		return tokenUnknown
	case !b.clock.Now().Before(t.expires):
		return tokenExpired
	default:
		return tokenGood
	}
}
