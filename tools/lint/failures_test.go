package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestFailuresHaveWords checks that no test prints values alone when it fails:
// the message names the call, the value that came and the wanted one.
func TestFailuresHaveWords(t *testing.T) {
	visited := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".tools" || d.Name() == ".git"):
			return filepath.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			visited++
			for _, offence := range wordlessFailures(t, path, nil) {
				t.Errorf("%s has no words: name the call and the wanted value", offence)
			}
		}
		return nil
	})
	if err != nil || visited < 200 {
		t.Errorf("visited %d files of tests, %v, want all of them", visited, err)
	}
}

// TestFailuresHaveWordsCanFail checks a file with messages of all kinds.
func TestFailuresHaveWordsCanFail(t *testing.T) {
	const source = `package a

func TestA(t *testing.T) {
	if got != 1 {
		t.Errorf("%+v", got)
		t.Errorf("%s: %q, %[1]v", name, got)
		t.Errorf("got %d, want 1", got)
		t.Error("no answer")
		fmt.Errorf("%w", err)
	}
	if out, err := run(); err != nil {
		t.Fatalf("%s: %v", out, err)
	} else if out != "" {
		t.Fatalf("%s", out)
	}
}
`
	want := []string{`a_test.go:5: "%+v"`, `a_test.go:6: "%s: %q, %[1]v"`, `a_test.go:14: "%s"`}
	if got := wordlessFailures(t, "a_test.go", source); !slices.Equal(got, want) {
		t.Errorf("wordlessFailures = %q, want %q", got, want)
	}
}

var (
	formatVerb = regexp.MustCompile(`%[-+# 0-9.\[\]]*[a-zA-Z]`)
	anyWord    = regexp.MustCompile(`\pL{2,}`)
)

// wordlessFailures returns, as path:line: format, the calls of Errorf and
// Fatalf whose format has only verbs. In the body of `if err != nil` an error
// says by itself what went wrong.
func wordlessFailures(t *testing.T, path string, source any) []string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	fine := map[ast.Stmt]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			if isError(n.Cond) {
				for _, s := range n.Body.List {
					fine[s] = true
				}
			}
		case *ast.ExprStmt:
			if format := failureFormat(n.X); format != "" && !fine[n] && !anyWord.MatchString(formatVerb.ReplaceAllString(format, "")) {
				out = append(out, fmt.Sprintf("%s:%d: %q", filepath.ToSlash(path), set.Position(n.Pos()).Line, format))
			}
		}
		return true
	})
	return out
}

// isError reports whether a condition is `err != nil`.
func isError(cond ast.Expr) bool {
	b, ok := cond.(*ast.BinaryExpr)
	if !ok || b.Op != token.NEQ {
		return false
	}
	x, isName := b.X.(*ast.Ident)
	y, isNil := b.Y.(*ast.Ident)
	return isName && isNil && x.Name == "err" && y.Name == "nil"
}

// failureFormat returns the format of a call of Errorf or Fatalf, or "".
func failureFormat(x ast.Expr) string {
	call, ok := x.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return ""
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f.Sel.Name != "Errorf" && f.Sel.Name != "Fatalf" {
		return ""
	}
	if pkg, isName := f.X.(*ast.Ident); isName && pkg.Name == "fmt" {
		return ""
	}
	literal, ok := call.Args[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	format, _ := strconv.Unquote(literal.Value) // a literal that was parsed
	return format
}
