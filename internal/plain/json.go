package plain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON returns a JSON text in which the characters that Text escapes are
// escaped as JSON does it: whoever decodes it gets the same values. Its blanks
// and line breaks between values stay.
func JSON(text []byte) []byte {
	text = marked.ReplaceAll(text, []byte(`#\u0023$1`))
	if firstUnsafe(string(text), true) < 0 {
		return text
	}
	var b bytes.Buffer
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == 0x7f || n > 1 && !shown(r) {
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		} else {
			b.Write(text[:n])
		}
		text = text[n:]
	}
	return b.Bytes()
}

// Strings returns a JSON text in which f has changed the strings, keys
// included. A text that is not JSON is returned as far as it is.
func Strings(text []byte, f func(string) string) []byte {
	var b bytes.Buffer
	for {
		start := bytes.IndexByte(text, '"')
		if start < 0 {
			b.Write(text)
			return b.Bytes()
		}
		b.Write(text[:start])
		n := literal(text[start:])
		b.Write(changed(text[start:start+n], f))
		text = text[start+n:]
	}
}

// literal returns the length of the string literal that text begins with.
func literal(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func changed(literal []byte, f func(string) string) []byte {
	var s string
	if json.Unmarshal(literal, &s) != nil {
		return literal
	}
	out := f(s)
	if out == s {
		return literal
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(out) != nil {
		return literal
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
