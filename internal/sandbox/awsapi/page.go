package awsapi

import (
	"cmp"
	"encoding/base64"
	"fmt"
)

// Paging is the part of a list request that asks for a page.
type Paging struct {
	MaxResults *int   `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

// DefaultPage is the length of a page of ECR unless a request gives one.
const DefaultPage = 100

// Page returns a page of a sorted list, at most limit entries, and the token
// for the next one. The token holds the key of the page's last entry, so that
// entries that come and go meanwhile shift nothing.
func Page[T any](p Paging, limit int, sorted []T, key func(T) string) (part []T, next string, err error) {
	size := DefaultPage
	if p.MaxResults != nil {
		size = *p.MaxResults
		if size < 1 || size > limit {
			return nil, "", InvalidParameter("maxResults", fmt.Sprintf("must be between 1 and %d", limit))
		}
	}
	start := 0
	if p.NextToken != "" {
		last, err := base64.RawURLEncoding.DecodeString(p.NextToken)
		if err != nil {
			return nil, "", InvalidParameter("nextToken", "must be a token of an earlier answer")
		}
		for start < len(sorted) && key(sorted[start]) <= string(last) {
			start++
		}
	}
	part = sorted[start:]
	if len(part) <= size {
		return part, "", nil
	}
	part = part[:size]
	return part, base64.RawURLEncoding.EncodeToString([]byte(key(part[size-1]))), nil
}

// Descending returns a key that sorts in the reverse order. Keys that begin
// alike but differ in length need an end mark above every letter, which it
// adds.
func Descending(key string) string {
	out := []byte(key)
	for i, b := range out {
		out[i] = ^b
	}
	return string(append(out, 0xff))
}

// PageOfARNs is Page with a limit of 100 and the default of an action.
func PageOfARNs(p Paging, size int, arns []string) ([]string, string, error) {
	p.MaxResults = cmp.Or(p.MaxResults, &size)
	return Page(p, 100, arns, func(arn string) string { return arn })
}
