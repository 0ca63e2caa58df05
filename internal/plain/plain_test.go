package plain_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"slipway/internal/plain"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"plain, ä 漢字 😀 ✔\ufe0f":     "plain, ä 漢字 😀 ✔\ufe0f",
		`C:\temp\new "quoted"`:      `C:\temp\new "quoted"`,
		"two\nlines\r\n":            `two\nlines\r\n`,
		"tab\tbell\a\x1bc\x7f":      `tab\tbell\x07\x1bc\x7f`,
		"csi \u009b31m nel\u0085":   `csi \u009b31m nel\u0085`,
		"turned \u202eretni\u2066":  `turned \u202eretni\u2066`,
		"zero\u200bwidth\ufeff":     `zero\u200bwidth\ufeff`,
		"separators \u2028\u2029":   `separators \u2028\u2029`,
		"hidden \U000e0041 tag":     `hidden \U000e0041 tag`,
		"filler \u3164\u115f":       `filler \u3164\u115f`,
		"bad \xff\xc3( byte \xed":   `bad \xff\xc3( byte \xed`,
		"private \ue000":            `private \ue000`,
		"x ##vso[task.setvariable]": `x #\x23vso[task.setvariable]`,
		"##[error]":                 `#\x23[error]`,
		"##teamcity[x]":             `#\x23teamcity[x]`,
		"## heading":                "## heading",
	} {
		got := plain.Text(in)
		if got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
		if again := plain.Text(got); again != got {
			t.Errorf("Text(%q) = %q, want no change", got, again)
		}
	}
}

func TestLines(t *testing.T) {
	for in, want := range map[string]string{
		"one\ntwo\n":               "one\ntwo\n",
		"a\n::error file=x::y\n":   "a\n\\x3a:error file=x::y\n",
		"  ::stop-commands::x":     `  \x3a:stop-commands::x`,
		"pkg::name ::1\n::1 local": "pkg::name ::1\n::1 local",
		"a\r\x1b[2K\n":             `a\r\x1b[2K` + "\n",
	} {
		if got := plain.Lines(in); got != want {
			t.Errorf("Lines(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestMessage shows that no line but the first begins as the text wants it.
func TestMessage(t *testing.T) {
	const want = "a\n  | \n  | ==== slipway build SUCCEEDED ====\n  | ::error::b\\x1b[31m"
	if got := plain.Message("a\r\n\n==== slipway build SUCCEEDED ====\n::error::b\x1b[31m\n"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStrip(t *testing.T) {
	for in, want := range map[string]string{
		"none":                 "none",
		"\x1b[1;31mred\x1b[0m": "red",
		"\x1b]0;title\atext\x1b]8;;http://x\x1b\\": "text",
		"reset \x1bc charset \x1b(B end":           "reset  charset  end",
		"\x1bP1$q m\x1b\\dcs \x1b_apc\x1b\\":       "dcs ",
		"\u009b31mc1 \u009d0;t\u009cosc":           "c1 osc",
		"é \u00c2 \u0085":                          "é \u00c2 \u0085",
		"cut \x1b":                                 "cut ",
		"cut \x1b[3":                               "cut ",
		"cut \x1b]0;no end":                        "cut ",
		"string \x1b]0;a\nnext":                    "string \nnext",
	} {
		if got := plain.Strip(in); got != want {
			t.Errorf("Strip(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOutput(t *testing.T) {
	for in, want := range map[string]string{
		"10%\r20%\rdone\r": "done",
		"a\tb\x1b[1m\tc":   "a       b       c",
		"\xff\tb":          "\xff       b",
		"\x1b[32mok":       "ok",
	} {
		if got := plain.Output(in); got != want {
			t.Errorf("Output(%q) = %q, want %q", in, got, want)
		}
	}
}

type named string

func TestSprintf(t *testing.T) {
	got := plain.Sprintf("%s|%-6s|%q|%v|%d|%*s|%s|%v|%.1f\n", "a\nb", "c\t", "d\n", errors.New("e\x1b"), 7, 3, "f", named("g\n"), time.Second, 1.25)
	const want = `a\nb|c\t   |"d\n"|e\x1b|7|  f|g\n|1s|1.2` + "\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStrings(t *testing.T) {
	replace := func(s string) string { return strings.ReplaceAll(s, `a":"b`, `x"y`) }
	got := plain.Strings([]byte(`{"a":"b","k":"1 a\":\"b 2"}`), replace)
	if want := `{"a":"b","k":"1 x\"y 2"}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

var nasty = []string{"plain", "\x1b[31mred", "\x1b]0;t", "a\r\nb", "\xff\xfe", "\u202e", "\u009b0m\u009c", "\x1b\x1b[[", "::error::x", "##vso[x]", "\U000e0001", "\t\v\f", "\xc2", "\xc2\x9b", `"\`}

// shown reports whether text has no character that misleads, line feeds left out.
func shown(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp))
	})
}

func FuzzText(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, out := range map[string]string{
			"Text": plain.Text(s), "Output": plain.Text(plain.Output(s)), "Sprintf": plain.Sprintf("%s %v", s, errors.New(s)), "quoted": plain.Sprintf("%q", s),
		} {
			if strings.Contains(out, "\n") || !shown(out) {
				t.Errorf("%s of %q is %q", name, s, out)
			}
		}
		if lines := plain.Lines(s); !shown(lines) || strings.Count(lines, "\n") != strings.Count(s, "\n") || plain.Lines(lines) != lines {
			t.Errorf("Lines of %q is %q", s, lines)
		}
		for line := range strings.SplitSeq(plain.Message(s), "\n"+plain.Quoted) {
			if strings.Contains(line, "\n") || !shown(line) {
				t.Errorf("Message of %q has the line %q", s, line)
			}
		}
		if out := plain.Strip(s); strings.Contains(out, "\x1b") || plain.Strip(out) != out && !strings.Contains(s, "\xc2") {
			t.Errorf("Strip of %q is %q", s, out)
		}
	})
}

// FuzzJSON: the values stay what they are, and nothing in the text is drawn.
func FuzzJSON(f *testing.F) {
	for _, s := range nasty {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		in := map[string]string{key: value}
		text, err := json.MarshalIndent(in, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		out := plain.JSON(plain.Strings(text, func(s string) string { return s }))
		var want, got map[string]string
		if json.Unmarshal(text, &want) != nil || json.Unmarshal(out, &got) != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q became %q", text, out)
		}
		if !shown(string(out)) || strings.Contains(string(out), "##[") {
			t.Errorf("%q became %q", text, out)
		}
	})
}

func TestLine(t *testing.T) {
	for s, want := range map[string]string{
		"two\n lines\r\n":      "two lines",
		"\x1b[31mred\x1b[0m\t": "red",
		"back\bspace":          `back\x08space`,
		" \x1b[0m ":            "",
	} {
		if got := plain.Line(s); got != want {
			t.Errorf("Line(%q) = %q, want %q", s, got, want)
		}
	}
}
