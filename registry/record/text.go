package record

import (
	"net/url"
	"strings"
	"time"
)

// stamp returns a time as an annotation has it, empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// moment returns the time of an annotation, zero for none.
func moment(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	return t.UTC().Truncate(time.Second), err
}

// join returns words as an annotation has them: names and commit ids contain no
// space.
func join(words []string) string { return strings.Join(words, " ") }

func split(s string) []string { return strings.Fields(s) }

// Source returns the place of a source as a record keeps it: the address without
// a user, a password or a query, which may hold a token. An address that cannot
// be parsed is left out.
func Source(address string) string {
	if !strings.Contains(address, "://") {
		return plainSource(address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// plainSource is Source for a path, an ARN or user@host:path, which has no
// password.
func plainSource(address string) string {
	address, _, _ = strings.Cut(address, "?")
	if user, rest, ok := strings.Cut(address, "@"); ok && strings.Contains(user, ":") {
		return rest
	}
	return address
}
