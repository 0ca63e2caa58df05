package revision

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, name := range []string{
		"1a2b3c4d5e6f", "1a2b3c4d5e6f-dirty-01234567", "v1", "v1.0", "v1.1", "v1.02", "_x", "Latest",
		"latest2", "a..b", "v1.2-rc1", "a.", strings.Repeat("x", MaxName),
	} {
		if err := Validate(name); err != nil {
			t.Errorf("Validate(%q) = %v, want no error", name, err)
		}
	}
	for name, want := range map[string]string{
		"":                               "empty",
		"latest":                         "tag that moves",
		"deployed":                       "tag that moves",
		"buildcache":                     "tag that moves",
		"buildcache-linux-arm64":         "tag that moves",
		"revision-1":                     "keeps for itself",
		"latest-revision":                "keeps for itself",
		"live-shop.web":                  "keeps for itself",
		"previous-shop.web":              "keeps for itself",
		"in-1a2b3c":                      "keeps for itself",
		"a b":                            "not a valid image tag",
		"-a":                             "not a valid image tag",
		".a":                             "not a valid image tag",
		"a/b":                            "not a valid image tag",
		"a:b":                            "not a valid image tag",
		"a\n":                            "not a valid image tag",
		"é":                              "not a valid image tag",
		"1a2b3c4d5e6f.2":                 "variant 2",
		"v1.12":                          `write "v1-12"`,
		strings.Repeat("x", MaxName+1):   "at most 120",
		strings.Repeat("x", 1<<20) + "!": "…",
	} {
		err := Validate(name)
		var bad *NameError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("%.200q: got %.400v, want %q", name, err, want)
		}
	}
}

func TestVariant(t *testing.T) {
	for _, tt := range []struct {
		tag, name string
		n         int
	}{
		{"a", "a", 1},
		{"a.2", "a", 2},
		{"a.10", "a", 10},
		{"a.1.2", "a.1", 2},
		{"a.9999999", "a", 9999999},
		{"a.10000000", "a.10000000", 1},
		{"a.1", "a.1", 1},
		{"a.0", "a.0", 1},
		{"a.02", "a.02", 1},
		{"a.+2", "a.+2", 1},
		{"a.-2", "a.-2", 1},
		{".2", ".2", 1},
		{"", "", 1},
	} {
		name, n := ParseVariant(tt.tag)
		if name != tt.name || n != tt.n {
			t.Errorf("%q: got %q, %d, want %q, %d", tt.tag, name, n, tt.name, tt.n)
		}
		if got := Variant(name, n); got != tt.tag {
			t.Errorf("%q comes back as %q", tt.tag, got)
		}
	}
	if got := Variant("a", 0); got != "a" {
		t.Errorf("got %q, want a", got)
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"", "a", "a.2", "a.2.3", "latest", "a.02", ".2", "v1.9999999", "é", strings.Repeat("x", 200)} {
		f.Add(s, 2)
	}
	tag := regexp.MustCompile(`^\w[\w.-]{0,127}$`)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if base, k := ParseVariant(s); Variant(base, k) != s || k < 1 {
			t.Fatalf("%q: parsed as %q, %d", s, base, k)
		}
		err := Validate(s)
		var bad *NameError
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("%q: %v is no *NameError", s, err)
		}
		if err != nil || n < 1 || n > maxVariant {
			return
		}
		v := Variant(s, n)
		if base, k := ParseVariant(v); base != s || k != n {
			t.Fatalf("%q.%d: read back as %q, %d", s, n, base, k)
		}
		if !tag.MatchString(v) {
			t.Fatalf("%q is no legal tag", v)
		}
	})
}

func ExampleVariant() {
	fmt.Println(Variant("1a2b3c4d5e6f", 1), Variant("1a2b3c4d5e6f", 2))
	fmt.Println(ParseVariant("1a2b3c4d5e6f.2"))
	// Output:
	// 1a2b3c4d5e6f 1a2b3c4d5e6f.2
	// 1a2b3c4d5e6f 2
}
