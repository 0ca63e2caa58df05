package sandbox

import (
	"encoding/base64"
	"fmt"
)

// paging is how list requests ask for a part.
type paging struct {
	MaxResults *int   `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

// defaultPage is how many results ECR answers when it is not told.
const defaultPage = 100

// page cuts a sorted list. The token holds the key of the last entry shown, so
// that what comes and goes meanwhile shifts nothing.
func page[T any](p paging, limit int, sorted []T, key func(T) string) (part []T, next string, err error) {
	size := defaultPage
	if p.MaxResults != nil {
		size = *p.MaxResults
		if size < 1 || size > limit {
			return nil, "", invalid("maxResults", fmt.Sprintf("must be between 1 and %d", limit))
		}
	}
	start := 0
	if p.NextToken != "" {
		last, err := base64.RawURLEncoding.DecodeString(p.NextToken)
		if err != nil {
			return nil, "", invalid("nextToken", "must be a token of an earlier answer")
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
