package registry

import (
	"fmt"
	"io"
)

const redacted = "REDACTED"

// Secret is text that prints as REDACTED, whatever the verb or encoder. Only
// Reveal returns it. It is held by pointer so that formatting a struct that
// hides one in an unexported field, where methods are not called, shows an
// address.
type Secret struct{ value *string }

// NewSecret hides s.
func NewSecret(s string) Secret { return Secret{value: &s} }

// Reveal returns the hidden text, empty for the zero Secret.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String returns REDACTED.
func (s Secret) String() string { return redacted }

// GoString returns REDACTED.
func (s Secret) GoString() string { return redacted }

// Format writes REDACTED for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns REDACTED, also for encoding/json.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
