package output_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode"

	"slipway/internal/output"
	"slipway/internal/redact"
)

func known(values ...string) *redact.Redactor {
	r := &redact.Redactor{}
	r.Add(values...)
	return r
}

func TestWrite(t *testing.T) {
	var to bytes.Buffer
	w := output.New(&to, known("hush-hush"))
	fmt.Fprintf(w, "web | %s\n", "hush-hush\x1bc https://u:p@h/?sig=1")
	w.Draw("\r\x1b[K")
	w.Document([]byte("\thush-hush\n"))
	if want := "web | REDACTED\\x1bc https://REDACTED@h/?sig=REDACTED\n\r\x1b[K\thush-hush\n"; to.String() != want {
		t.Errorf("got %q, want %q", to.String(), want)
	}
}

// TestWriteJSON: the text stays JSON, also if a secret looks like some of it.
func TestWriteJSON(t *testing.T) {
	var to bytes.Buffer
	w := output.New(&to, known(`":"https`, "hush-hush"))
	w.WriteJSON([]byte("{\"a\":\"https://u:p@h/\u202e\",\"b\":\"hush-hush\"}\n"))
	if want := `{"a":"https://REDACTED@h/\u202e","b":"REDACTED"}` + "\n"; to.String() != want {
		t.Errorf("got %s, want %s", to.String(), want)
	}
}

// TestClosedPipe: what cannot be written stops nothing and is not forgotten.
func TestClosedPipe(t *testing.T) {
	r, file, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r.Close()
	w := output.New(file, nil)
	for range 2 {
		if _, err := io.WriteString(w, "text\n"); err != nil {
			t.Errorf("got error %v, want none", err)
		}
	}
	if err := w.Err(); !errors.Is(err, os.ErrClosed) && (err == nil || !strings.Contains(err.Error(), "broken pipe")) {
		t.Errorf("got error %v, want a broken pipe", err)
	}
}

func FuzzWriter(f *testing.F) {
	for _, s := range []string{"text\n", "\x1b[2K\r\x1bc", "::error::x", "##vso[x]", "hush-hush", "\u202e\u009b", `"hush`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var to bytes.Buffer
		w := output.New(&to, known("hush-hush"))
		fmt.Fprintln(w, text)
		line, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		w.WriteJSON(line)
		out := to.String()
		bad := func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }
		if strings.ContainsFunc(out, bad) || strings.Contains(out, "hush-hush") || strings.HasPrefix(out, "::error") || strings.Contains(out, "##vso[") {
			t.Errorf("%q was printed as %q", text, out)
		}
	})
}
