package cmd

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestScriptsExpectMessages checks that each `exits` in the scripts is followed by the
// message that the command prints.
func TestScriptsExpectMessages(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob: %d scripts, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range exitsWithoutMessage(string(data)) {
			t.Errorf("%s: %q is not followed by a stdout or stderr line that expects its message", file, line)
		}
	}
}

func TestExitsWithoutMessage(t *testing.T) {
	for _, c := range []struct {
		script string
		want   bool // whether its `exits` lacks a message
	}{
		{"exits 2 slipway\nstderr 'unknown'", false},
		{"exits 2 slipway\n\n# Nothing is printed.\n! stdout .\nstderr 'unknown'", false},
		{"exits 2 slipway\ncmpenv stderr want.txt", false},
		{"exits 1 unread -2 slipway\nexec slipway", false},
		{"exec slipway\ntagged shop/web one", false},
		{"stderr 'unknown'\n-- script.sh --\nexits 2 slipway", false},
		{"exits 2 slipway\n! stderr 'unknown'", true},
		{"exits 2 slipway\nexec slipway\nstderr 'unknown'", true},
		{"exits 2 slipway\nexits 2 slipway\nstderr 'unknown'", true},
		{"exits 2 slipway\ncmp one.txt two.txt", true},
		{"exits 2 slipway\n-- stderr --\nstderr 'unknown'", true},
		{"exits 2 slipway", true},
	} {
		if got := exitsWithoutMessage(c.script); (len(got) > 0) != c.want {
			t.Errorf("exitsWithoutMessage(%q) = %q, want one: %v", c.script, got, c.want)
		}
	}
}

// expectsMessage matches a script line that compares the output of the last command.
var expectsMessage = regexp.MustCompile(`^(stdout|stderr|(cmp|cmpenv) (stdout|stderr)) `)

// exitsWithoutMessage returns the `exits` lines of a script that no line with the expected
// message follows before the next command. A command under `unread -2` has no output that
// the script could compare.
func exitsWithoutMessage(script string) (out []string) {
	pending := ""
	for line := range strings.Lines(script + "\n-- end --\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "", strings.HasPrefix(line, "#"), strings.HasPrefix(line, "! stdout "), strings.HasPrefix(line, "! stderr "):
			continue
		case pending != "" && !expectsMessage.MatchString(line):
			out = append(out, pending)
		}
		pending = ""
		if strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --") {
			return out
		}
		if words := strings.Fields(line); words[0] == "exits" && !strings.HasPrefix(line, "exits 1 unread -2 ") {
			pending = line
		}
	}
	return out
}

// TestScriptCommandsDescribed checks that testdata/README.md has a row for each command and
// program of the scripts, and for no other.
func TestScriptCommandsDescribed(t *testing.T) {
	t.Parallel()
	registered := ecsCommands()
	maps.Copy(registered, doctorCommands())
	maps.Copy(registered, submitCommands())
	maps.Copy(registered, runCommands())
	want := slices.Sorted(maps.Keys(registered))
	for program := range scriptPrograms {
		want = append(want, program)
	}
	slices.Sort(want)
	readme, err := os.ReadFile("testdata/README.md")
	if err != nil {
		t.Fatal(err)
	}
	got := describedCommands(string(readme))
	if !slices.Equal(got, want) {
		t.Errorf("testdata/README.md describes the commands %q, want %q", got, want)
	}
}

// describedCommands returns the sorted first words of the rows of all tables whose first
// column is `command` or `program`.
func describedCommands(markdown string) (out []string) {
	inTable := false
	for line := range strings.Lines(markdown) {
		row, ok := strings.CutPrefix(line, "| ")
		switch {
		case strings.HasPrefix(line, "|---"):
		case !ok:
			inTable = false
		case strings.HasPrefix(row, "command |"), strings.HasPrefix(row, "program |"):
			inTable = true
		case inTable:
			name, _, _ := strings.Cut(strings.TrimPrefix(row, "`"), "`")
			out = append(out, strings.Fields(name)[0])
		}
	}
	slices.Sort(out)
	return out
}
