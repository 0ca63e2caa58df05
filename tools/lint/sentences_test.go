package lint

import (
	"fmt"
	"strings"
	"testing"
)

func TestSentences(t *testing.T) {
	text := "# A title\n\nOne two `three words here` four. Five\nsix [seven](eight nine): ten.\n\n" +
		"- item one\n  goes on\n- item two\n\n    code that is not read\n    nor this\n\n```\nfenced code\n```\n| a b | c v1.2 d |\n"
	want := []string{"A title", "One two _ four.", "Five six seven:", "ten.", "item one goes on", "item two", "a b", "c v1.2 d"}
	var got []string
	for _, s := range sentences(text) {
		if len(s.words) > 0 {
			got = append(got, strings.Join(s.words, " "))
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("sentences\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s := sentences(text)[2]; s.line != 3 {
		t.Errorf("%q is in line %d, want 3", s.words, s.line)
	}
}

func TestLongSentence(t *testing.T) {
	text := "Short.\n\n" + strings.Repeat("word ", maxWords) + "\n\nIt is" + strings.Repeat(" long", maxWords) + ".\n"
	got := fmt.Sprint(checkLength(passage{file: "a.md", text: text}))
	if want := `[a.md:5: "It is long long long long long long ...": write two sentences, or a list; 30 words are the limit]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
