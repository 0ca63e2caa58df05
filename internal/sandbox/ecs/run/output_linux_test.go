package run

import (
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
)

// write has an output read a text.
func write(t *testing.T, text string, ok bool) []string {
	t.Helper()
	var mu sync.Mutex
	var got []string
	o, err := newOutput(func(lines []string) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, lines...)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(o.stdout, text); err != nil {
		t.Fatal(err)
	}
	o.started(ok)
	o.wait()
	return got
}

func TestOutput(t *testing.T) {
	long := strings.Repeat("x", longestLine)
	for _, test := range []struct {
		text string
		want []string
	}{
		{"a\nb\r\n\nc", []string{"a", "b", "c"}},
		{long + "y\nz\n", []string{long, "y", "z"}},
		{"", nil},
	} {
		if got := write(t, test.text, true); !slices.Equal(got, test.want) {
			t.Errorf("%.20q… was read as %.20q…, want %.20q…", test.text, got, test.want)
		}
	}
	if got := write(t, "runc: no such file\n", false); got != nil {
		t.Errorf("of a process that did not start %q was read", got)
	}
}
