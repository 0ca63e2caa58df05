package plain

import (
	"strings"
	"unicode/utf8"
)

// tabStop is the distance of a terminal's tab stops.
const tabStop = 8

// Output returns one line that a program wrote, as a terminal shows it when
// the line has ended: what was drawn after the last carriage return,
// without colours and other sequences, tabs expanded. It is not escaped.
func Output(line string) string {
	line = strings.TrimRight(line, "\r")
	line = Strip(line[strings.LastIndexByte(line, '\r')+1:])
	if !strings.Contains(line, "\t") {
		return line
	}
	var b strings.Builder
	column := 0
	for i, part := range strings.Split(line, "\t") {
		if i > 0 {
			n := tabStop - column%tabStop
			b.WriteString(strings.Repeat(" ", n))
			column += n
		}
		b.WriteString(part)
		column += utf8.RuneCountInString(part)
	}
	return b.String()
}

// Strip removes the sequences that a terminal acts on (ECMA-48, sections 5.3
// to 5.6, and the title sequences of xterm): colours and cursor movements,
// strings such as DCS and OSC with their content, resets, and all of these in
// the 8-bit form. Single controls stay: Text escapes them.
func Strip(s string) string {
	at := sequence(s)
	if at < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; at >= 0; at = sequence(s) {
		b.WriteString(s[:at])
		s = afterSequence(s[at:])
	}
	b.WriteString(s)
	return b.String()
}

const (
	esc = '\x1b'
	// c1 is the first byte of the controls U+0080 to U+009F in UTF-8.
	c1 = '\xc2'
)

// sequence returns where the first sequence begins, or -1.
func sequence(s string) int {
	at := strings.IndexByte(s, esc)
	for i := 0; ; {
		n := strings.IndexByte(s[i:], c1)
		if n < 0 || at >= 0 && i+n > at {
			return at
		}
		if i += n; i+1 < len(s) && introduces(s[i+1]-0x40) {
			return i
		}
		i++
	}
}

// introduces reports whether the byte behind an escape begins a sequence that
// has an 8-bit form: DCS, SOS, CSI, OSC, PM or APC.
func introduces(b byte) bool { return b == '[' || isString(b) }

func isString(b byte) bool { return b == 'P' || b == 'X' || b == ']' || b == '^' || b == '_' }

// afterSequence returns s without the sequence that it begins with.
func afterSequence(s string) string {
	var kind byte
	if s[0] == esc {
		if len(s) == 1 {
			return ""
		}
		kind, s = s[1], s[1:]
	} else {
		kind, s = s[1]-0x40, s[1:]
	}
	switch {
	case kind == '[':
		return skip(skip(skip(s[1:], '0', '?', -1), ' ', '/', -1), '@', '~', 1)
	case isString(kind):
		return afterString(s[1:])
	default:
		return skip(skip(s, ' ', '/', -1), '0', '~', 1)
	}
}

// skip removes up to limit bytes between low and high from the front of s; -1
// means without a limit.
func skip(s string, low, high byte, limit int) string {
	i := 0
	for i < len(s) && i != limit && s[i] >= low && s[i] <= high {
		i++
	}
	return s[i:]
}

// afterString returns the text after the end of a string: BEL, ESC \ or ST.
// Another escape, a line feed or the end of the text ends it as well.
func afterString(s string) string {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\a':
			return s[i+1:]
		case strings.HasPrefix(s[i:], "\x1b\\"), strings.HasPrefix(s[i:], "\u009c"):
			return s[i+2:]
		case s[i] == esc, s[i] == '\n':
			return s[i:]
		}
	}
	return ""
}

// blanks separate words and lines.
var blanks = strings.NewReplacer("\t", " ", "\n", " ", "\r", " ")

// Unstyled returns s as part of one line, without escape sequences. Tabs and
// line breaks become spaces, and other characters are escaped as by Text.
func Unstyled(s string) string { return Text(blanks.Replace(Strip(s))) }

// Line returns the words of s in one line, without escape sequences, separated
// by single spaces.
func Line(s string) string { return strings.Join(strings.Fields(Unstyled(s)), " ") }
