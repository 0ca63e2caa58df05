package artifact

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestZip(t *testing.T) {
	files := map[string][]byte{"b/c.json": []byte("[]\n"), "a.json": []byte("aaaa"), "empty": nil}
	data, err := Zip(files)
	must(t, err)
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	must(t, err)
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
		rc, err := f.Open()
		must(t, err)
		got, err := io.ReadAll(rc)
		if err != nil || !bytes.Equal(got, files[f.Name]) {
			t.Errorf("%s: got %q, %v, want %q", f.Name, got, err, files[f.Name])
		}
		if day := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC); !f.Modified.Equal(day) || f.Mode() != 0o644 {
			t.Errorf("%s: got %v, %v, want %v, -rw-r--r--", f.Name, f.Modified, f.Mode(), day)
		}
		if f.Flags&0x8 != 0 {
			t.Errorf("%s: its size stands behind it", f.Name)
		}
	}
	if fmt.Sprint(names) != "[a.json b/c.json empty]" {
		t.Errorf("got %v, want a.json, b/c.json and empty", names)
	}
	// The bytes must never change: a change uploads every unchanged archive.
	if got, want := fmt.Sprintf("%x", sha256.Sum256(data)), "dbca94b61e302a1c1cabbdef39cd236fce708f2e5ab35d7bfdcf30b68d93b59c"; got != want {
		t.Errorf("got sha256 %s, want %s", got, want)
	}
}

func TestZipNames(t *testing.T) {
	for _, name := range []string{"", ".", "/a", "../a", "a/../b", "a/", `a\b`, "a\xff"} {
		if _, err := Zip(map[string][]byte{name: nil}); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
}
