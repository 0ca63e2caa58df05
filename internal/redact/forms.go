package redact

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"slipway/internal/plain"
)

const (
	// Shortest is the length in bytes from which a value is replaced. Shorter
	// values are part of too many words.
	Shortest = 6
	// shortestLine is Shortest for a line of a text of several: most of those
	// are not secret by themselves.
	shortestLine = 8
	// shortestCode is Shortest for a part of a base64 text.
	shortestCode = 12
	// longestEncoded is the longest value that is looked for in other encodings.
	longestEncoded = 8 << 10
)

// forms are the ways in which a log may show a value.
func forms(value string) []string {
	value = strings.TrimSpace(value)
	if len(value) < Shortest {
		return nil
	}
	out := append([]string{value}, encodings(value)...)
	if strings.Contains(value, "\n") {
		out = append(out, lines(value)...)
	}
	return out
}

func encodings(value string) []string {
	out := []string{plain.Text(value)}
	if len(value) > longestEncoded {
		return out
	}
	out = append(out, url.QueryEscape(value), url.PathEscape(value), inJSON(value), inQuotes(value))
	return append(out, inBase64(value)...)
}

// lines are the lines of a file, and the values in it that have the name of a
// credential: a program may print one without the others.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if len(line) < shortestLine {
			continue
		}
		out = append(out, line, plain.Text(line))
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			name, value, ok = strings.Cut(line, ":")
		}
		value = strings.Trim(value, " \t\"',;")
		if ok && len(value) >= Shortest && Credential(lastName(name)) {
			out = append(append(out, value), encodings(value)...)
		}
	}
	return out
}

// lastName is the name that a line assigns to: _authToken of //host/:_authToken.
func lastName(s string) string {
	s = strings.Trim(s, " \t\"'")
	return s[strings.LastIndexAny(s, " \t\"':/")+1:]
}

func inJSON(value string) string {
	text, err := json.Marshal(value)
	if err != nil {
		return value
	}
	return string(text[1 : len(text)-1])
}

// inQuotes is the value as Go quotes it, and nearly as other languages do.
func inQuotes(value string) string {
	text := strconv.Quote(value)
	return text[1 : len(text)-1]
}

// inBase64 are the parts of base64 texts that hold the value and nothing else,
// for each of the three places in a group at which the value may begin: also
// user:value is known by it.
func inBase64(value string) []string {
	var out []string
	for skip := range 3 {
		whole := value[min(skip, len(value)):]
		whole = whole[:len(whole)/3*3]
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			if code := encoding.EncodeToString([]byte(whole)); len(code) >= shortestCode {
				out = append(out, code)
			}
		}
	}
	return append(out, base64.StdEncoding.EncodeToString([]byte(value)))
}
