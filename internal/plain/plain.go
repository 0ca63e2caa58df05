// Package plain makes text that others wrote safe to print: text of a project, an
// engine, a registry or AWS is data, and must not move the cursor, hide itself or
// pass for a line of Slipway's own.
package plain

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s as part of one line. Characters that are not shown as
// themselves become escapes as in Go: controls, line breaks and tabs
// included, format characters such as bidirectional marks and zero-width
// spaces, unassigned and private ones. A byte that is not UTF-8 becomes \xNN.
// The result holds no such character, so that Text of it is the same.
func Text(s string) string { return escape(s, false) }

// Lines is Text for whole lines: it keeps the line feeds. A line that begins
// like a command of GitHub Actions is escaped at its colons.
func Lines(s string) string {
	s = escape(s, true)
	if strings.Contains(s, "::") {
		s = workflowCommand.ReplaceAllString(s, `$1\x3a:$2`)
	}
	return s
}

// workflowCommand matches a command of GitHub Actions, at the start of a line
// after any blanks:
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
var workflowCommand = regexp.MustCompile(`(?m)^( *)::([A-Za-z])`)

// marked matches a command of Azure Pipelines, older runners of GitHub Actions or
// TeamCity anywhere in a line: ##vso[, ##[ and ##teamcity[.
var marked = regexp.MustCompile(`##([A-Za-z.]*\[)`)

func escape(s string, lines bool) string {
	if i := firstUnsafe(s, lines); i >= 0 {
		s = escapeFrom(s, i, lines)
	}
	if strings.Contains(s, "##") {
		s = marked.ReplaceAllString(s, `#\x23$1`)
	}
	return s
}

// firstUnsafe returns where the first byte or character to escape is, or -1.
func firstUnsafe(s string, lines bool) int {
	for i := 0; i < len(s); {
		if b := s[i]; b < utf8.RuneSelf {
			if b < ' ' && (b != '\n' || !lines) || b == 0x7f {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if n == 1 || !shown(r) {
			return i
		}
		i += n
	}
	return -1
}

func escapeFrom(s string, at int, lines bool) string {
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:at])
	for s = s[at:]; s != ""; {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '\n' && lines || n > 1 && shown(r) || n == 1 && r >= ' ' && r < 0x7f:
			b.WriteString(s[:n])
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		default:
			b.WriteString(escaped(r))
		}
		s = s[n:]
	}
	return b.String()
}

// shown reports whether a character of more than one byte is shown as itself.
func shown(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) &&
		(!unicode.Is(unicode.Variation_Selector, r) || r == 0xfe0e || r == 0xfe0f) // of emoji
}

func escaped(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < utf8.RuneSelf:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}

// Quoted begins the second and later lines of a message that may hold text of
// others: no line of Slipway's own begins like that.
const Quoted = "  | "

// Message returns a message of one or more lines. Those after the first begin
// with Quoted.
func Message(s string) string {
	s = strings.TrimRight(s, "\n")
	if !strings.Contains(s, "\n") {
		return Text(s)
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Text(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n"+Quoted)
}
