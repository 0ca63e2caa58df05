package lint

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed english.txt
var englishRules string

// The kinds of text in Go files. The text of a Markdown file has the file's
// path for a kind, that of docs/cli, which is generated, the directory's.
const (
	commentKind     = "comments"
	literalKind     = "literals"
	testLiteralKind = "test-literals"
	cliKind         = "docs/cli"
)

// exempt are the files that quote the words in order to forbid them.
var exempt = []string{"docs/style.md", "tools/lint/english_test.go"}

// rule is a phrase that the text does not use.
type rule struct {
	name          string
	match, except *regexp.Regexp // except is nil if there are no exceptions
	use           string
	finds, passes []string
}

// parseRules reads the format that english.txt describes.
func parseRules(text string) ([]rule, error) {
	var rules []rule
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimRight(line, " "); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "\t"); ok { // goes on with the last example
			last := &rules[len(rules)-1]
			last.finds[len(last.finds)-1] += "\n" + rest
			continue
		}
		key, value, _ := strings.Cut(line, ": ")
		if key == "rule" {
			rules = append(rules, rule{name: value})
			continue
		}
		if len(rules) == 0 {
			return nil, fmt.Errorf("line %d: %q stands before the first rule", i+1, key)
		}
		if err := rules[len(rules)-1].set(key, value); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return rules, nil
}

func (r *rule) set(key, value string) (err error) {
	switch key {
	case "match":
		r.match, err = phrase(value)
	case "except":
		r.except, err = phrase(value)
	case "use":
		r.use = value
	case "finds":
		r.finds = append(r.finds, value)
	case "passes":
		r.passes = append(r.passes, value)
	default:
		err = fmt.Errorf("unknown key %q", key)
	}
	return err
}

func phrase(expression string) (*regexp.Regexp, error) {
	return regexp.Compile("(?i)" + strings.ReplaceAll(expression, " ", `\s+`))
}

// passage is a piece of text that people read.
type passage struct {
	kind, file string
	line       int
	text       string
}

// finding is a phrase that a rule forbids.
type finding struct {
	passage
	rule  rule
	found string
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d: %q: write %s", f.file, f.line, strings.Join(strings.Fields(f.found), " "), f.rule.use)
}

// check returns the phrases in p that rules forbid.
func check(p passage, rules []rule) []finding {
	var list []finding
	for _, r := range rules {
		text := p.text
		if r.except != nil {
			text = r.except.ReplaceAllStringFunc(text, blank)
		}
		for _, at := range r.match.FindAllStringIndex(text, -1) {
			f := finding{passage: p, rule: r, found: text[at[0]:at[1]]}
			f.line += strings.Count(text[:at[0]], "\n")
			list = append(list, f)
		}
	}
	return list
}

// blank replaces all but the line breaks of s by a character that is not part
// of any phrase.
func blank(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return '_'
	}, s)
}

// passages returns the text of all Go and Markdown files below root.
func passages(root string) ([]passage, error) {
	var list []passage
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if name := d.Name(); rel != "." && (strings.HasPrefix(name, ".") || rel == "bin" || rel == "dist") {
				return filepath.SkipDir
			}
			return nil
		}
		found, err := read(path, rel)
		list = append(list, found...)
		return err
	})
	return list, err
}

func read(path, rel string) ([]passage, error) {
	isGo, isMarkdown := strings.HasSuffix(rel, ".go"), strings.HasSuffix(rel, ".md")
	if !isGo && !isMarkdown || slices.Contains(exempt, rel) {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if isGo {
		return goPassages(rel, text)
	}
	kind := rel
	if strings.HasPrefix(rel, cliKind+"/") {
		kind = cliKind
	}
	return []passage{{kind: kind, file: rel, line: 1, text: withoutCode(string(text))}}, nil
}

var codeSpan = regexp.MustCompile("`[^`\n]+`")

// withoutCode blanks `code` within the lines of a Markdown text: names, not
// words. Blocks of code stay, for they show comments and messages.
func withoutCode(text string) string {
	return codeSpan.ReplaceAllStringFunc(text, blank)
}

// goPassages returns the comments and the string literals of a Go file.
func goPassages(name string, text []byte) ([]passage, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var list []passage
	add := func(kind string, at token.Pos, text string) {
		list = append(list, passage{kind: kind, file: name, line: files.Position(at).Line, text: text})
	}
	for _, group := range file.Comments {
		end := files.Position(group.End()).Offset
		add(commentKind, group.Pos(), plainComment(string(text[files.Position(group.Pos()).Offset:end])))
	}
	kind := literalKind
	if strings.HasSuffix(name, "_test.go") {
		kind = testLiteralKind
	}
	joined := map[ast.Expr]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			n.Tag = nil
		case *ast.BinaryExpr, *ast.BasicLit:
			e := n.(ast.Expr)
			if text, ok := sum(e, joined); ok && !joined[e] {
				add(kind, e.Pos(), text)
			}
		}
		return true
	})
	return list, nil
}

var commentMarker = regexp.MustCompile(`(?m)^[ \t]*(//|/\*)`)

// plainComment blanks the markers of a comment, so that a phrase is found
// across its lines.
func plainComment(text string) string {
	return commentMarker.ReplaceAllString(text, " ")
}

// sum joins the literals of a string that is written in parts, and notes the
// parts in joined. A part that is not a literal becomes a letter. It reports
// whether there is a literal.
func sum(e ast.Expr, joined map[ast.Expr]bool) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		x, isX := sum(e.X, joined)
		y, isY := sum(e.Y, joined)
		if e.Op != token.ADD || !isX && !isY {
			return "", false
		}
		joined[e.X], joined[e.Y] = true, true
		return x + y, true
	}
	return "X", false
}
