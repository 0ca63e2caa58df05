package sandbox

import (
	"crypto/rand"
	"sync"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// tokenBook knows the authorization tokens that were given out.
type tokenBook struct {
	clock    *awsapi.Clock
	lifetime time.Duration

	mu     sync.Mutex
	issued map[string]token
}

type token struct {
	region  string
	expires time.Time
}

// issue makes a token for the registries of a region: ECR's tokens are good
// for every account their principal may use, but for one region.
func (b *tokenBook) issue(region string) (password string, expires time.Time) {
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

func (b *tokenBook) check(password, region string) tokenState {
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
