package redact

import (
	"context"
	"encoding/base64"
	"strings"
)

// AddLogin makes the password of a registry or another server known, also as
// HTTP's basic authentication sends it with the user's name.
func (r *Redactor) AddLogin(user, password string) {
	if len(password) >= Shortest {
		r.Add(password, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
}

// AddEnviron makes the values of the variables known whose names are those of
// credentials. Each entry is NAME=VALUE.
func (r *Redactor) AddEnviron(environ []string) {
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); Credential(name) {
			r.AddKey(value)
		}
	}
}

// shortestKey is the length in bytes from which a value is taken as a key that
// a machine made. The secret keys of AWS have 40.
const shortestKey = 16

// AddKey makes a generated value known, such as the keys and tokens of AWS. Values
// shorter than such keys may be words and are left out.
func (r *Redactor) AddKey(value string) {
	if len(value) >= shortestKey {
		r.Add(value)
	}
}

type contextKey struct{}

// WithContext returns a context with the redactor, for the code that reads
// secrets.
func WithContext(ctx context.Context, r *Redactor) context.Context {
	return context.WithValue(ctx, contextKey{}, r)
}

// FromContext returns the redactor that the context carries, nil without one.
func FromContext(ctx context.Context) *Redactor {
	r, _ := ctx.Value(contextKey{}).(*Redactor)
	return r
}
