package phrase_test

import (
	"strings"
	"testing"

	"slipway/internal/phrase"
)

func TestPhrases(t *testing.T) {
	for want, got := range map[string]string{
		"0 services":          phrase.Count(0, "service"),
		"1 service":           phrase.Count(1, "service"),
		"2 services":          phrase.Count(2, "service"),
		"1 repository":        phrase.Repositories(1),
		"3 repositories":      phrase.Repositories(3),
		"sha256:0123456789ab": phrase.ShortDigest("sha256:0123456789ab" + strings.Repeat("c", 52)),
		"":                    phrase.ShortDigest(""),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
