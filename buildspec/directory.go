package buildspec

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// step is one command of a shell's line, and the directory in which it runs:
// relative to the source, or absolute, and "" where the text does not show it.
type step struct {
	line int
	text string
	dir  string
}

// steps returns the commands of all phases one by one. In version 0.2 they share
// one shell, so that cd lasts ("Build specification reference for CodeBuild").
func (s *spec) steps() []step {
	w := walk{dir: "."}
	for _, c := range s.commands {
		w.line = c.line
		w.run(c.text)
	}
	return w.steps
}

// walk follows the working directory of a shell.
type walk struct {
	steps []step
	line  int
	dir   string
	// outer are the directories outside of the open parentheses.
	outer []string
	// depth counts the open conditions and loops.
	depth int
}

// run splits a line at the operators that stand outside of quotes.
func (w *walk) run(text string) {
	begin, before, quote := 0, "", byte(0)
	end := func(i int, operator string) {
		w.step(text[begin:i], before)
		begin, before = i+len(operator), operator
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			end(i, "(")
			w.outer = append(w.outer, w.dir)
		case c == ')':
			end(i, ")")
			if n := len(w.outer); n > 0 {
				w.dir, w.outer = w.outer[n-1], w.outer[:n-1]
			}
		case strings.HasPrefix(text[i:], "&&"), strings.HasPrefix(text[i:], "||"):
			end(i, text[i:i+2])
			i++
		case c == ';':
			end(i, ";")
		}
	}
	end(len(text), "")
}

var (
	opens  = []string{"if", "for", "while", "until", "case"}
	closes = []string{"fi", "done", "esac"}
	inside = []string{"then", "else", "do", "{", "!"}
	tests  = []string{"test", "[", "[["}
	within = regexp.MustCompile(`\b(?:cd|pushd)\s`)
)

// step notes a command, and goes where a cd goes.
func (w *walk) step(text, before string) {
	words := strings.Fields(text)
	for len(words) > 0 && slices.Contains(inside, words[0]) {
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	here := w.dir
	switch first := words[0]; {
	case slices.Contains(opens, first):
		w.depth++
	case slices.Contains(closes, first):
		w.depth = max(w.depth-1, 0)
	case first == "cd" || first == "pushd":
		w.dir = w.changed(words[1:], before)
	case first == "popd":
		w.dir = ""
	case within.MatchString(text): // of a shell within, such as bash -c
		here = ""
	}
	w.steps = append(w.steps, step{w.line, text, here})
}

// changed returns the directory after a cd that follows an operator. A cd that may
// not run leads nowhere that is known.
func (w *walk) changed(words []string, before string) string {
	tested := false
	if n := len(w.steps); before == "&&" && n > 0 {
		tested = slices.Contains(tests, strings.Fields(w.steps[n-1].text)[0])
	}
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) != 1 || w.depth > 0 || tested || before == "||" {
		return ""
	}
	return resolve(w.dir, words[0])
}

var sourceDir = regexp.MustCompile(`^(?:\$CODEBUILD_SRC_DIR\b|\$\{CODEBUILD_SRC_DIR\})`)

// resolve returns the path that a word of the shell names in a directory, or "" if
// the text does not show it.
func resolve(dir, word string) string {
	word = strings.NewReplacer(`"`, "", `'`, "").Replace(word)
	if at := sourceDir.FindString(word); at != "" {
		dir, word = ".", "."+word[len(at):]
	}
	switch {
	case word == "" || word == "-" || strings.ContainsAny(word, "$`~*?[{\\"):
		return ""
	case path.IsAbs(word):
		return path.Clean(word)
	case dir == "":
		return ""
	}
	return path.Join(dir, word)
}
