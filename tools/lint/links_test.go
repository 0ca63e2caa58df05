package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	target    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	notAnchor = regexp.MustCompile(`[^\pL\pN _-]`)
)

// TestLinks follows the links of all Markdown files that lead to files of the
// repository, and to headings in them.
func TestLinks(t *testing.T) {
	texts, err := passages("../..")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range texts {
		if !strings.HasSuffix(p.file, ".md") {
			continue
		}
		for _, m := range target.FindAllStringSubmatch(p.text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			n++
			if !leads(t, filepath.Join("../..", p.file), m[1]) {
				t.Errorf("%s: the link %s leads nowhere", p.file, m[1])
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d links found", n)
	}
}

// leads reports whether a link in a file has a target.
func leads(t *testing.T, from, to string) bool {
	t.Helper()
	path, anchor, _ := strings.Cut(to, "#")
	page := from
	if path != "" {
		page = filepath.Join(filepath.Dir(from), path)
	}
	if _, err := os.Stat(page); err != nil {
		return false
	}
	return anchor == "" || slices.Contains(anchors(t, page), anchor)
}

// anchors returns the anchors of a page's headings as GitHub makes them: in
// lower case, with hyphens for blanks and without punctuation.
func anchors(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if title := strings.TrimLeft(line, "#"); title != line {
			title = notAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			list = append(list, strings.ReplaceAll(title, " ", "-"))
		}
	}
	return list
}

func TestLinksThatLeadNowhere(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a.md", "# The `first` one: yes\n")
	write(t, root, "b/c.md", "# C\n\n## Exit codes\n")
	for to, want := range map[string]bool{
		"b/c.md":               true,
		"b":                    true,
		"b/c.md#exit-codes":    true,
		"#the-first-one-yes":   true,
		"b/d.md":               false,
		"b/c.md#exit":          false,
		"#exit-codes":          false,
		"../a.md#no-such-file": false,
	} {
		if got := leads(t, filepath.Join(root, "a.md"), to); got != want {
			t.Errorf("%s leads somewhere: %v, want %v", to, got, want)
		}
	}
}

// TestReadme holds the README to a length that is read to its end: reference
// material is in docs/.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > 110 {
		t.Errorf("README.md has %d lines, more than 110: move reference material to docs/", n)
	}
}
