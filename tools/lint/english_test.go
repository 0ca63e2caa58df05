package lint

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "lower the numbers of english_allowed.txt to what there is")

// allowList has the phrases that are still in comments and tests, by kind and
// rule. Its numbers only go down. Go files have common numbers, so that moving
// code changes none.
const allowList = "english_allowed.txt"

// allowable are the kinds that allowList may name: users read neither. Markdown
// and the other literals have no old words.
var allowable = []string{commentKind, testLiteralKind}

// counted is a kind of text and a rule.
type counted struct{ kind, rule string }

func (c counted) compare(d counted) int {
	return cmp.Or(strings.Compare(c.kind, d.kind), strings.Compare(c.rule, d.rule))
}

// TestEnglish holds the text to the words of docs/style.md. The old words that
// are left are counted in english_allowed.txt.
//
// It reads files outside this module, which Go's test cache does not notice:
// run it with -count=1. `go test -count=1 -run TestEnglish -v .` lists all old
// words. `go test -run TestEnglish -update .` lowers the numbers, and resolves
// a merge conflict in them.
func TestEnglish(t *testing.T) {
	found := findings(t, "../..")
	allowed := readAllowed(t)
	if *update {
		writeAllowed(t, found, allowed)
		return
	}
	if testing.Verbose() {
		for _, list := range found {
			for _, f := range list {
				t.Log(f)
			}
		}
	}
	for _, complaint := range complaints(found, allowed) {
		t.Error(complaint)
	}
}

// complaints compares the findings with the numbers that are allowed.
func complaints(found map[counted][]finding, allowed map[counted]int) []string {
	var list []string
	all := slices.Collect(maps.Keys(found))
	for c := range allowed {
		if _, ok := found[c]; !ok {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, counted.compare)
	for _, c := range all {
		n, limit := len(found[c]), allowed[c]
		switch {
		case n > limit:
			list = append(list, fmt.Sprintf("%s: %q %d times, %d allowed by %s; -v lists all:%s", c.kind, c.rule, n, limit, allowList, last(found[c])))
		case n < limit:
			list = append(list, fmt.Sprintf("%s: %q %d times, fewer than the %d of %s: run `go test -run TestEnglish -update .`", c.kind, c.rule, n, limit, allowList))
		}
	}
	return list
}

// last returns the end of a list, a line for each finding.
func last(list []finding) string {
	var b strings.Builder
	for _, f := range list[max(0, len(list)-10):] {
		b.WriteString("\n" + f.String())
	}
	return b.String()
}

func findings(t *testing.T, root string) map[counted][]finding {
	t.Helper()
	texts, err := passages(root)
	if err != nil {
		t.Fatal(err)
	}
	rules, found := english(t), map[counted][]finding{}
	for _, p := range texts {
		list := check(p, rules)
		if strings.HasSuffix(p.file, ".md") && p.kind != cliKind {
			list = append(list, checkLength(p)...)
		}
		for _, f := range list {
			c := counted{f.kind, f.rule.name}
			found[c] = append(found[c], f)
		}
	}
	return found
}

func english(t *testing.T) []rule {
	t.Helper()
	rules, err := parseRules(englishRules)
	if err != nil {
		t.Fatalf("english.txt: %v", err)
	}
	return rules
}

// readAllowed reads the list, which may not exist yet.
func readAllowed(t *testing.T) map[counted]int {
	t.Helper()
	text, err := os.ReadFile(allowList)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	allowed, err := parseAllowed(string(text), *update)
	if err != nil {
		t.Fatalf("%s: %v", allowList, err)
	}
	return allowed
}

// parseAllowed reads lines of a number, a kind and a rule. With merging, git's
// conflict markers are skipped, and of two numbers the larger counts: each side
// knows only its own reductions.
func parseAllowed(text string, merging bool) (map[counted]int, error) {
	allowed := map[counted]int{}
	for line := range strings.Lines(text) {
		if merging && conflictMarker.MatchString(line) {
			continue
		}
		var n int
		var c counted
		if _, err := fmt.Sscanf(line, "%d %s %q", &n, &c.kind, &c.rule); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		if !slices.Contains(allowable, c.kind) {
			return nil, fmt.Errorf("%q: correct the text: only %s may have old words", line, strings.Join(allowable, " and "))
		}
		allowed[c] = max(n, allowed[c])
	}
	return allowed, nil
}

var conflictMarker = regexp.MustCompile(`^(<{7}|={7}|>{7}|\|{7})`)

// writeAllowed lowers the numbers. It raises none, unless there is no file yet.
func writeAllowed(t *testing.T, found map[counted][]finding, allowed map[counted]int) {
	t.Helper()
	var b strings.Builder
	for _, c := range slices.SortedFunc(maps.Keys(found), counted.compare) {
		n := len(found[c])
		if allowed != nil {
			n = min(n, allowed[c])
		}
		if n > 0 && slices.Contains(allowable, c.kind) {
			fmt.Fprintf(&b, "%d %s %q\n", n, c.kind, c.rule)
		}
	}
	if err := os.WriteFile(allowList, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEnglishMerge: -update reads a list with a conflict in it; otherwise it is
// an error.
func TestEnglishMerge(t *testing.T) {
	text := "1 test-literals \"tell\"\n<<<<<<< HEAD\n4 comments \"anew\"\n=======\n2 comments \"anew\"\n>>>>>>> other\n"
	if allowed, err := parseAllowed(text, false); err == nil {
		t.Errorf("a list with a conflict is read as %v", allowed)
	}
	allowed, err := parseAllowed(text, true)
	want := map[counted]int{{testLiteralKind, "tell"}: 1, {commentKind, "anew"}: 4}
	if err != nil || !maps.Equal(allowed, want) {
		t.Errorf("read %v, %v, want %v", allowed, err, want)
	}
}

// TestEnglishAllowsNoUserText: nothing that users read has old words.
func TestEnglishAllowsNoUserText(t *testing.T) {
	for _, kind := range []string{literalKind, cliKind, "README.md", "docs/cache.md"} {
		for _, merging := range []bool{false, true} {
			if allowed, err := parseAllowed("1 "+kind+" \"tell\"\n", merging); err == nil {
				t.Errorf("parseAllowed() = %v for old words in %s, want an error", allowed, kind)
			}
		}
	}
}

// TestEnglishExamples: every rule finds its examples and none of the others
// that are right.
func TestEnglishExamples(t *testing.T) {
	rules := english(t)
	names := map[string]bool{}
	for _, r := range rules {
		if names[r.name] {
			t.Errorf("two rules are called %q", r.name)
		}
		names[r.name] = true
		if r.match == nil || r.use == "" || len(r.finds) == 0 {
			t.Errorf("rule %q lacks a match, a use or an example", r.name)
			continue
		}
		for _, text := range r.finds {
			list := check(passage{text: plainComment(text)}, rules)
			if !slices.ContainsFunc(list, func(f finding) bool { return f.rule.name == r.name }) {
				t.Errorf("rule %q does not find its example %q: %v", r.name, text, list)
			}
		}
		for _, text := range r.passes {
			if list := check(passage{text: text}, rules); len(list) > 0 {
				t.Errorf("%q is right, but: %v", text, list)
			}
		}
	}
}

// TestEnglishReads finds a phrase wherever people read one, with its line, and
// nowhere else.
func TestEnglishReads(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a/a.go", `package a

import "anew/anew"

// A is built
// anew.
const A = "it waits for " + "ever, " + anew("half way")

type anew struct {
	B string `+"`json:\"anew\"`"+`
}

/*
C builds
  it anew.
*/
var C = `+"`\n\n half\nway`"+`
`)
	write(t, root, "a/a_test.go", "package a\n\nvar D = anew(1) + 2 // at once\n\nvar E = \"anew\"\n")
	write(t, root, "docs/b.md", "# Title\n\nIt is `anew` and built\nanew: build it\n\n    slipway build   # anew\n")
	write(t, root, "docs/style.md", "Not anew.\n")
	write(t, root, "docs/cli/c.md", "anew\n")
	write(t, root, ".tools/d.md", "anew\n")
	write(t, root, "e.txt", "anew\n")

	var got []string
	for c, list := range findings(t, root) {
		for _, f := range list {
			got = append(got, fmt.Sprintf("%s %s:%d %s", c.kind, f.file, f.line, c.rule))
		}
	}
	slices.Sort(got)
	want := []string{
		"comments a/a.go:15 anew",
		"comments a/a.go:6 anew",
		"docs/b.md docs/b.md:4 anew",
		"docs/b.md docs/b.md:6 anew",
		"docs/cli docs/cli/c.md:1 anew",
		"literals a/a.go:19 half way",
		"literals a/a.go:7 for ever",
		"literals a/a.go:7 half way",
		"test-literals a/a_test.go:5 anew",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEnglishCounts: more than is allowed is an error, and so is less.
func TestEnglishCounts(t *testing.T) {
	c := counted{commentKind, "anew"}
	two := map[counted][]finding{c: make([]finding, 2)}
	for _, tt := range []struct {
		found   map[counted][]finding
		allowed map[counted]int
		want    string
	}{
		{two, map[counted]int{c: 2}, ""},
		{two, map[counted]int{c: 1}, "2 times, 1 allowed"},
		{two, nil, "2 times, 0 allowed"},
		{two, map[counted]int{c: 3}, "fewer than the 3"},
		{nil, map[counted]int{c: 1}, "fewer than the 1"},
	} {
		if got := strings.Join(complaints(tt.found, tt.allowed), "\n"); !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%d findings, %d allowed: %q, want %q", len(tt.found[c]), tt.allowed[c], got, tt.want)
		}
	}
}
