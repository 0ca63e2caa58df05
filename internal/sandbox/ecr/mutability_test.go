package ecr

import (
	"strings"
	"testing"
)

func TestMatchWildcard(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"latest", "latest", true},
		{"latest", "latest1", false},
		{"*", "", true},
		{"*", "anything", true},
		{"a*", "a", true},
		{"a*", "ba", false},
		{"*a", "ba", true},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "acb", false},
		{"*b*", "abc", true},
		{"**", "x", true},
		{"v?", "v1", false},
	} {
		if got := matchWildcard(test.pattern, test.s); got != test.want {
			t.Errorf("%q on %q: %v, want %v", test.pattern, test.s, got, test.want)
		}
	}
}

func TestTagMutability(t *testing.T) {
	filters := func(f ...string) (out []exclusionFilter) {
		for _, s := range f {
			out = append(out, exclusionFilter{"WILDCARD", s})
		}
		return out
	}
	for _, test := range []struct {
		setting    string
		exclusions []exclusionFilter
		bad        bool
		fixed      string // of the tags latest, dev-1 and abc, those that stay
	}{
		{"MUTABLE", nil, false, ""},
		{"IMMUTABLE", nil, false, "latest dev-1 abc"},
		{"IMMUTABLE_WITH_EXCLUSION", filters("latest", "dev-*"), false, "abc"},
		{"MUTABLE_WITH_EXCLUSION", filters("dev-*"), false, "dev-1"},
		{"IMMUTABLE_WITH_EXCLUSION", nil, true, ""},
		{"IMMUTABLE_WITH_EXCLUSION", filters("1", "2", "3", "4", "5", "6"), true, ""},
		{"IMMUTABLE", filters("latest"), true, ""},
		{"SOMETIMES", nil, true, ""},
		{"IMMUTABLE_WITH_EXCLUSION", filters("a/b"), true, ""},
		{"IMMUTABLE_WITH_EXCLUSION", []exclusionFilter{{"REGEX", "a"}}, true, ""},
	} {
		m, err := newTagMutability(test.setting, test.exclusions)
		if (err != nil) != test.bad {
			t.Errorf("%s %v: error %v", test.setting, test.exclusions, err)
		}
		if test.bad {
			continue
		}
		var fixed []string
		for _, tag := range []string{"latest", "dev-1", "abc"} {
			if m.fixed(tag) {
				fixed = append(fixed, tag)
			}
		}
		if got := strings.Join(fixed, " "); got != test.fixed {
			t.Errorf("%s %v fixes %q, want %q", test.setting, test.exclusions, got, test.fixed)
		}
	}
}
