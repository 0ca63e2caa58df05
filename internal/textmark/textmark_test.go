package textmark_test

import (
	"testing"

	"slipway/internal/textmark"
)

func TestOf(t *testing.T) {
	for text, want := range map[string]string{
		"\xef\xbb\xbf[]":                "UTF-8",
		"\xff\xfe[\x00":                 "UTF-16",
		"\xfe\xff\x00[":                 "UTF-16",
		"\xff\xfe\x00\x00[\x00\x00\x00": "UTF-32",
		"\x00\x00\xfe\xff\x00\x00\x00[": "UTF-32",
		"[]":                            "",
		"\xef\xbb":                      "",
		"[\xef\xbb\xbf]":                "",
		"":                              "",
	} {
		if got := textmark.Of([]byte(text)); got != want {
			t.Errorf("Of(%q) = %q, want %q", text, got, want)
		}
	}
}
