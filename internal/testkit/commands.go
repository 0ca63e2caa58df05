package testkit

import (
	"regexp"
	"strings"
	"unicode"
)

// Commands returns the commands in the code of a Markdown text, each as its words. A
// command in $(…) is one of its own, and stays in the word that it is part of. Quotes
// are removed. A redirection is two words, such as ">" and "site.yaml".
func Commands(markdown string) [][]string {
	var out [][]string
	for _, code := range codeOf(markdown) {
		s := splitter{text: []rune(code)}
		s.commands(0)
		out = append(out, s.out...)
	}
	return out
}

var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// codeOf returns the code blocks and code spans of a Markdown text. A block of a console
// session is its commands, which begin with "$ ".
func codeOf(markdown string) []string {
	var out, block []string
	fenced, session := false, false
	end := func() {
		out = append(out, strings.Join(block, "\n"))
		block, fenced, session = nil, false, false
	}
	for line := range strings.Lines(markdown) {
		line = strings.TrimSuffix(line, "\n")
		trimmed := strings.TrimSpace(line)
		command, prompt := strings.CutPrefix(trimmed, "$ ")
		switch {
		case strings.HasPrefix(trimmed, "```"):
			begins := !fenced
			end()
			fenced, session = begins, begins && strings.HasSuffix(trimmed, "console")
		case fenced && session && !prompt && !continued(block):
		case fenced, strings.HasPrefix(line, "    "):
			block = append(block, command)
		case trimmed != "":
			end()
			for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
				out = append(out, span[1])
			}
		}
	}
	end()
	return out
}

// continued reports whether the last line of a block goes on in the next one.
func continued(block []string) bool {
	return len(block) > 0 && strings.HasSuffix(block[len(block)-1], "\\")
}

// splitter splits the text of a shell into commands.
type splitter struct {
	text []rune
	at   int
	out  [][]string
}

// commands reads commands up to the rune that ends them, or up to the end.
func (s *splitter) commands(ends rune) {
	var words []string
	end := func() {
		if len(words) > 0 {
			s.out = append(s.out, words)
		}
		words = nil
	}
	defer end()
	for s.at < len(s.text) {
		switch r := s.text[s.at]; {
		case r == ends:
			return
		case r == '#':
			s.skipLine()
		case strings.ContainsRune("\n;&|", r):
			end()
			s.at++
		case unicode.IsSpace(r):
			s.at++
		case strings.ContainsRune("<>", r):
			words = append(words, string(r))
			s.at++
		default:
			if w := s.word(ends); w == "{" || w == "}" {
				end()
			} else if w != "" {
				words = append(words, w)
			}
		}
	}
}

func (s *splitter) skipLine() {
	for s.at < len(s.text) && s.text[s.at] != '\n' {
		s.at++
	}
}

// word reads one word.
func (s *splitter) word(ends rune) string {
	var w strings.Builder
	quote := rune(0)
	for ; s.at < len(s.text); s.at++ {
		r := s.text[s.at]
		switch {
		case quote != '\'' && r == '\\' && s.at+1 < len(s.text):
			if s.at++; s.text[s.at] != '\n' {
				w.WriteRune(s.text[s.at])
			}
		case quote != '\'' && r == '$' && s.at+1 < len(s.text) && s.text[s.at+1] == '(':
			from := s.at
			s.at += 2
			s.commands(')')
			w.WriteString(string(s.text[from:s.at]) + ")")
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case r == quote && quote != 0:
			quote = 0
		case quote == 0 && (r == ends || unicode.IsSpace(r) || strings.ContainsRune(";&|<>", r)):
			return w.String()
		default:
			w.WriteRune(r)
		}
	}
	return w.String()
}
