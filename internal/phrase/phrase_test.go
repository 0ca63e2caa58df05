package phrase_test

import (
	"strings"
	"testing"

	"slipway/internal/phrase"
)

func TestPhrases(t *testing.T) {
	bytes := func(n int64) string { return phrase.ByteCount(&n) }
	for want, got := range map[string]string{
		"0 services":          phrase.Count(0, "service"),
		"1 service":           phrase.Count(1, "service"),
		"2 services":          phrase.Count(2, "service"),
		"1 repository":        phrase.Repositories(1),
		"3 repositories":      phrase.Repositories(3),
		"sha256:0123456789ab": phrase.ShortDigest("sha256:0123456789ab" + strings.Repeat("c", 52)),
		"":                    phrase.ShortDigest(""),
		"?":                   phrase.ByteCount(nil),
		"999 B":               bytes(999),
		"1.0 kB":              bytes(1000),
		"1.5 MB":              bytes(1_500_000),
		"2.25 GB":             bytes(2_250_000_000),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
