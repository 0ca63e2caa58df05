// Package redact replaces credentials in text: the values that Slipway knows
// to be secret, and text in the place of a credential, in addresses and behind
// names such as secret_access_key.
package redact

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Mark is the text that replaces a credential.
const Mark = "REDACTED"

// Redactor knows secret values. Its zero value knows none, and a nil one
// neither: both replace by patterns. Several goroutines may use it at once.
type Redactor struct {
	mu      sync.Mutex
	known   map[string]bool
	matcher atomic.Pointer[matcher]
}

// Add makes values known, in the forms in which a log may show them: as they
// are, each line of a text of several, and encoded for URLs, JSON and in
// base64. Values shorter than Shortest are left out.
func (r *Redactor) Add(values ...string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.known)
	for _, v := range values {
		for _, form := range forms(v) {
			if r.known == nil {
				r.known = map[string]bool{}
			}
			r.known[form] = true
		}
	}
	if len(r.known) > n {
		r.matcher.Store(newMatcher(r.known))
	}
}

// matcher replaces values. Nearly all text has none of them, and is only looked at for how
// they begin.
type matcher struct {
	begins   [1 << 16 / 64]uint64 // a set of hashes of the first four bytes
	replacer *strings.Replacer
}

// newMatcher prefers the longest of the values that begin at the same place.
func newMatcher(known map[string]bool) *matcher {
	m := &matcher{}
	values := make([]string, 0, len(known))
	for v := range known {
		values = append(values, v)
	}
	slices.SortFunc(values, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	pairs := make([]string, 0, 2*len(values))
	for _, v := range values {
		pairs = append(pairs, v, Mark)
		h := hash(uint32(v[0])<<24 | uint32(v[1])<<16 | uint32(v[2])<<8 | uint32(v[3]))
		m.begins[h/64] |= 1 << (h % 64)
	}
	m.replacer = strings.NewReplacer(pairs...)
	return m
}

// hash is 16 bits of the product with a constant of Knuth's.
func hash(bytes uint32) uint32 { return bytes * 2654435769 >> 16 }

func (m *matcher) replace(s string) string {
	var last uint32
	for i := range len(s) {
		last = last<<8 | uint32(s[i])
		if h := hash(last); i >= 3 && m.begins[h/64]&(1<<(h%64)) != 0 {
			return s[:i-3] + m.replacer.Replace(s[i-3:])
		}
	}
	return s
}

// Text returns s without the values that are known and without what Patterns
// finds.
func (r *Redactor) Text(s string) string {
	if r != nil {
		if m := r.matcher.Load(); m != nil {
			s = m.replace(s)
		}
	}
	return Patterns(s)
}
