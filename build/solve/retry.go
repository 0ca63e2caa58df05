package solve

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Backoff says how often and how slowly a push is tried again.
type Backoff struct {
	// Attempts counts the first one; 0 and 1 mean no second.
	Attempts int
	// First is the pause before the second attempt; each later one doubles.
	First time.Duration
	// Max is the longest pause.
	Max time.Duration
}

// DefaultBackoff waits out ECR's throttling of a busy account: 1, 2, 4, 8 and 16
// seconds, each with jitter.
var DefaultBackoff = Backoff{Attempts: 6, First: time.Second, Max: 20 * time.Second}

// pause is the time before attempt+1: half of it fixed and half at random, so that
// services throttled together do not come back together.
func (b Backoff) pause(attempt int) time.Duration {
	d := b.First << (attempt - 1)
	if d > b.Max || d <= 0 {
		d = b.Max
	}
	if d <= 1 {
		return d
	}
	return d/2 + rand.N(d/2)
}

// refusals are the error codes, as containerd prints them, of answers that trying again
// does not change (distribution-spec, "Error Codes"; ECR answers with the same). The
// answer to a HEAD request has no code, only its status.
var refusals = []string{
	"denied:", "unauthorized:", "name unknown:", "name invalid:", "manifest invalid:", "tag invalid:", "unsupported:", "insufficient_scope",
	"401 Unauthorized", "403 Forbidden",
}

// refused reports whether the registry refused for good, rather than for now. The
// engine passes on the registry's words without a type or a status, so that only the
// words can be compared; of a push from this host the status is known.
func refused(err error) bool {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return answer.StatusCode/100 == 4 && answer.StatusCode != http.StatusRequestTimeout && answer.StatusCode != http.StatusTooManyRequests
	}
	text := err.Error()
	for _, code := range refusals {
		if strings.Contains(text, code) {
			return true
		}
	}
	return false
}
