package standalone

import (
	"time"

	"slipway/internal/sandbox/awsapi"
)

// How long a client token is valid: a day, or an hour after the end of its
// tasks if that is less ("Ensuring idempotency" in the API reference).
const (
	tokenLife  = 24 * time.Hour
	tokenAfter = time.Hour
)

// Tokens are the client tokens of a cluster, with the tasks of their requests.
// The zero value has none.
type Tokens[T any] struct {
	uses map[string]use[T]
}

type use[T any] struct {
	fingerprint string
	at          time.Time
	tasks       []T
}

// Find returns the tasks of an earlier request with the same token. It reports
// false if there is none. stopped returns when a task has stopped, zero while it
// has not. The error is that of another request with the token.
func (k *Tokens[T]) Find(in Request, now time.Time, stopped func(T) time.Time) ([]T, bool, error) {
	u, ok := k.uses[in.ClientToken]
	switch {
	case in.ClientToken == "" || !ok || u.expired(now, stopped):
		return nil, false, nil
	case u.fingerprint != in.fingerprint:
		return nil, false, awsapi.NewError("ConflictException", "The clientToken is already in use with a different request.")
	}
	return u.tasks, true, nil
}

func (u use[T]) expired(now time.Time, stopped func(T) time.Time) bool {
	var last time.Time
	for _, t := range u.tasks {
		at := stopped(t)
		if at.IsZero() {
			last = time.Time{}
			break
		}
		if at.After(last) {
			last = at
		}
	}
	return now.Sub(u.at) >= tokenLife || !last.IsZero() && now.Sub(last) >= tokenAfter
}

// Keep keeps the tasks of a request.
func (k *Tokens[T]) Keep(in Request, now time.Time, tasks []T) {
	if in.ClientToken == "" || len(tasks) == 0 {
		return
	}
	if k.uses == nil {
		k.uses = map[string]use[T]{}
	}
	k.uses[in.ClientToken] = use[T]{in.fingerprint, now, tasks}
}
