package lint

import (
	"fmt"
	"regexp"
	"strings"
)

// maxWords is the length of the longest sentence that Markdown may have. The
// style asks for 25 words; the rest is for names, lists and addresses.
const maxWords = 30

// sentence is a sentence of a Markdown text, of words only.
type sentence struct {
	line  int
	words []string
}

var longSentence = rule{name: "long sentence", use: fmt.Sprintf("two sentences, or a list; %d words are the limit", maxWords)}

// checkLength returns the sentences of a Markdown passage that are too long.
func checkLength(p passage) []finding {
	var list []finding
	for _, s := range sentences(p.text) {
		if len(s.words) <= maxWords {
			continue
		}
		f := finding{passage: p, rule: longSentence, found: strings.Join(s.words[:8], " ") + " ..."}
		f.line = s.line
		list = append(list, f)
	}
	return list
}

var (
	link        = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	blockStart  = regexp.MustCompile(`^\s*([-*+] |\d+\. |#|\||>)`)
	sentenceEnd = regexp.MustCompile(`[.!?:]["')*_]*(\s+|$)`)
	hasLetter   = regexp.MustCompile(`\pL|\d|_`)
)

// sentences splits a Markdown text. A table's cell, a list's item and a heading
// are texts of their own; a colon ends a sentence. Blocks of code have none,
// and `code` is one word.
func sentences(text string) []sentence {
	var list []sentence
	var block []string
	start, fenced, blank := 0, false, true
	flush := func() {
		list = append(list, split(start, strings.Join(block, "\n"))...)
		block = nil
	}
	for i, line := range strings.Split(text, "\n") {
		wasBlank := blank
		blank = strings.TrimSpace(line) == ""
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			fenced = !fenced
			flush()
		case fenced || strings.HasPrefix(line, "    ") && wasBlank && len(block) == 0:
			blank = true // so that the next line of the code is code, too
		case blank:
			flush()
		default:
			if blockStart.MatchString(line) {
				flush()
			}
			if len(block) == 0 {
				start = i + 1
			}
			block = append(block, line)
		}
	}
	flush()
	return list
}

// split splits a block that begins at a line.
func split(line int, block string) []sentence {
	if strings.HasPrefix(strings.TrimSpace(block), "|") {
		block = strings.ReplaceAll(block, "|", " . ")
	}
	block = link.ReplaceAllString(codeSpan.ReplaceAllString(block, "_"), "$1")
	var list []sentence
	for block != "" {
		end := len(block)
		if at := sentenceEnd.FindStringIndex(block); at != nil {
			end = at[1]
		}
		s := sentence{line: line}
		for _, word := range strings.Fields(block[:end]) {
			if hasLetter.MatchString(word) {
				s.words = append(s.words, word)
			}
		}
		list = append(list, s)
		line += strings.Count(block[:end], "\n")
		block = block[end:]
	}
	return list
}
