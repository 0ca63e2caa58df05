package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// independent are the directories whose packages do not know the command line:
// a hint that names a command or a flag of Slipway is written in cmd/hint. Package
// doctor is not among them: it checks `slipway build` with the flags that it was
// given, and the remedies in its findings are the document that it returns.
var independent = []string{"registry", "artifact", "build", "rollout", "project", "retention"}

// shared are flags of other programs too, whose commands a stage may name or run.
var shared = []string{"--region", "--cluster", "--service", "--addr", "--wait", "--name"}

var (
	slipwayCommand = regexp.MustCompile(`\bslipway (build|rollout|rollback|status|revisions|retention|stop|start|submit|buildspec|doctor)\b`)
	anyFlag        = regexp.MustCompile("(?:^|[\\s`(\"'])(--[a-z][a-z-]+)")
	flagDefinition = regexp.MustCompile(`\.\w*Var\w*\([^"\n]*"([a-z][a-z-]*)"`)
)

// TestStagesNameNoCommands checks the string literals of the independent
// directories.
func TestStagesNameNoCommands(t *testing.T) {
	root := "../.."
	flags := slipwayFlags(t, filepath.Join(root, "cmd"))
	if len(flags) < 50 || !flags["--hash"] || !flags["--replace-policy"] {
		t.Fatalf("found %d flags in cmd, want all of them: %v", len(flags), flags)
	}
	for _, dir := range independent {
		for _, offence := range commandsIn(t, filepath.Join(root, dir), flags) {
			t.Error(offence)
		}
	}
}

// TestStagesNameNoCommandsCanFail checks a package that names commands.
func TestStagesNameNoCommandsCanFail(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/a.go", "package a\n\nvar x = \"run slipway status\"\nvar y = `give --hash`\nvar z = \"--hash-of\"\n// slipway build\n")
	write(t, dir, "a/a_test.go", "package a\n\nvar t = \"slipway build --hash x\"\n")
	got := strings.Join(commandsIn(t, dir, map[string]bool{"--hash": true}), "\n")
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, "a.go:3: slipway status") || !strings.Contains(got, "a.go:4: --hash") {
		t.Errorf("commandsIn() = %q, want lines 3 and 4 of a.go", got)
	}
}

// slipwayFlags reads the names of all flags from their definitions.
func slipwayFlags(t *testing.T, dir string) map[string]bool {
	t.Helper()
	flags := map[string]bool{}
	sources(t, dir, func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range flagDefinition.FindAllStringSubmatch(string(text), -1) {
			flags["--"+m[1]] = true
		}
	})
	for _, flag := range shared {
		delete(flags, flag)
	}
	return flags
}

// commandsIn returns, as path:line: match, the string literals below a
// directory that name a command or one of the flags.
func commandsIn(t *testing.T, dir string, flags map[string]bool) []string {
	t.Helper()
	var out []string
	sources(t, dir, func(path string) {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if match := named(literal.Value, flags); match != "" {
					at := set.Position(literal.Pos())
					out = append(out, filepath.ToSlash(at.Filename)+":"+strconv.Itoa(at.Line)+": "+match)
				}
			}
			return true
		})
	})
	return out
}

// named returns the first command or flag of Slipway in a text, if there is one.
func named(text string, flags map[string]bool) string {
	if command := slipwayCommand.FindString(text); command != "" {
		return command
	}
	for _, m := range anyFlag.FindAllStringSubmatch(text, -1) {
		if flags[m[1]] {
			return m[1]
		}
	}
	return ""
}

// sources visits the Go files below a directory that are not tests.
func sources(t *testing.T, dir string, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			visit(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
