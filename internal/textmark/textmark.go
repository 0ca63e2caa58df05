// Package textmark recognizes byte order marks. Editors and shells on Windows
// write them, and programs that read UTF-8 take them for content.
package textmark

import "bytes"

// marks are those of Unicode's FAQ on UTF-8, UTF-16, UTF-32 and BOM. That of
// UTF-32 begins with that of UTF-16.
var marks = []struct{ encoding, bytes string }{
	{"UTF-8", "\xef\xbb\xbf"},
	{"UTF-32", "\xff\xfe\x00\x00"},
	{"UTF-32", "\x00\x00\xfe\xff"},
	{"UTF-16", "\xff\xfe"},
	{"UTF-16", "\xfe\xff"},
}

// Of returns the encoding whose byte order mark a text begins with, or "".
func Of(text []byte) string {
	for _, m := range marks {
		if bytes.HasPrefix(text, []byte(m.bytes)) {
			return m.encoding
		}
	}
	return ""
}
