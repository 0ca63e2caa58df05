package revision

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseStatus(t *testing.T) {
	const ids = " 1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d 1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d "
	out := strings.Join([]string{
		"# branch.oid " + id40,
		"# branch.head (detached)",
		"1 .M N... 100644 100644 100644" + ids + "z file",
		"1 .M N... 100644 100644 100755" + ids + "program",
		"1 .M SC.. 160000 160000 160000" + ids + "moved",
		"1 M. S... 160000 160000 160000" + ids + "recorded",
		"u UU N... 100644 100644 100644 100644 " + id40 + ids + "both",
		"1 D. N... 100644 000000 000000" + ids + "kept",
		"? kept",
		"? new dir/",
		"",
	}, "\x00")
	head, changes, err := parseStatus(out)
	want := []change{{"both", ""}, {"kept", ""}, {"moved", ""}, {"new dir", ""}, {"program", ""}, {"recorded", ""}, {"z file", "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"}}
	if err != nil || head != id40 || !reflect.DeepEqual(changes, want) {
		t.Errorf("got %q, %v, %v, want %q, %v", head, changes, err, id40, want)
	}
	for _, bad := range []string{"x y", "1 .M", "1 .M N... 1 2 3 4 5 ", "u UU N... 100644" + ids + "p", "!"} {
		if _, c, err := parseStatus(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, c)
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add("# branch.oid " + id40 + "\x00? a\x00? b/\x00")
	f.Add("1 .M N... 100644 100644 100644 a b path\x00")
	f.Add("# branch.oid (initial)\x00")
	f.Fuzz(func(t *testing.T, out string) {
		head, changes, err := parseStatus(out)
		if err != nil {
			return
		}
		if head != "" && !gitID.MatchString(head) {
			t.Fatalf("HEAD is %q", head)
		}
		paths := func(a, b change) int { return strings.Compare(a.path, b.path) }
		if !slices.IsSortedFunc(changes, paths) {
			t.Fatalf("not in order: %v", changes)
		}
	})
}
