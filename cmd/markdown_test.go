package cmd

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"slipway/internal/testkit"
)

// TestMarkdownNamesFlags: the commands in all Markdown files have only commands and flags
// that exist.
func TestMarkdownNamesFlags(t *testing.T) {
	commands := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if err != nil || filepath.Ext(path) != ".md" || d.Name() == "CHANGELOG.md" {
			return err
		}
		for _, words := range testkit.Commands(testkit.ReadFile(t, path)) {
			if words[0] != "slipway" || len(words) == 1 {
				continue
			}
			commands++
			if fault := wrongFlag(words[1:]); fault != "" {
				t.Errorf("%s names `%s`: %s", path, strings.Join(words, " "), fault)
			}
		}
		return nil
	})
	if err != nil || commands < 300 {
		t.Fatalf("%d commands were read, %v, want those of all files", commands, err)
	}
}

func TestWrongFlag(t *testing.T) {
	for args, wrong := range map[string]bool{
		"build --plan":                    false,
		"build --plans":                   true,
		"buildspec iam build --untrusted": false,
		"buildspec iam build --plan":      true,
		"buildspec -- --plan":             false,
		"buildspec --plan":                true,
		"stack NAME [--parameters]":       false,
		"secrets push --parameters":       true,
		"secrets push --log-level=debug":  false,
		"rollback REVISION -f x.yaml":     false,
		"launch":                          true,
		"--help":                          false,
		"rollback --previous --cluster …": false,
	} {
		if got := wrongFlag(strings.Fields(args)); (got != "") != wrong {
			t.Errorf("wrongFlag(%s) = %q, want a fault: %v", args, got, wrong)
		}
	}
}

// commandName matches the name of a command, not a placeholder or a version.
var commandName = regexp.MustCompile(`^[a-z]+$`)

// wrongFlag returns the first argument that is a command or a flag that does not exist;
// empty if there is none.
func wrongFlag(args []string) string {
	root := newRootCommand(&cli{})
	command, rest, err := root.Find(slices.DeleteFunc(slices.Clone(args), isFlag))
	if err != nil || command == root && len(rest) > 0 && commandName.MatchString(rest[0]) {
		return "there is no such command"
	}
	for i, arg := range args {
		if strings.Trim(arg, "[]") == "--" { // the arguments of build follow
			return wrongFlag(append([]string{"build"}, args[i+1:]...))
		}
		if isFlag(arg) && !hasFlag(command, arg) {
			return "there is no flag " + arg
		}
	}
	return ""
}

func isFlag(arg string) bool { return strings.HasPrefix(strings.TrimLeft(arg, "["), "-") }

// hasFlag reports whether a command has the flag of an argument.
func hasFlag(c *cobra.Command, arg string) bool {
	name, _, _ := strings.Cut(strings.Trim(arg, "[],.…()"), "=")
	c.InitDefaultHelpFlag()
	switch long, isLong := strings.CutPrefix(name, "--"); {
	case isLong:
		return c.Flags().Lookup(long) != nil || c.InheritedFlags().Lookup(long) != nil
	case len(name) == 2:
		return c.Flags().ShorthandLookup(name[1:]) != nil
	}
	return false
}
