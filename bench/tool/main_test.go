package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
)

func TestRun(t *testing.T) {
	const files = 2
	first, same, other := output(t, 1, files), output(t, 1, files), output(t, 2, files)
	if len(first) < files<<20 {
		t.Fatalf("%d bytes, want at least %d MB", len(first), files)
	}
	if !bytes.Equal(first, same) {
		t.Error("the same seed gave another output")
	}
	if bytes.Equal(first, other) {
		t.Error("another seed gave the same output")
	}
	if ratio := float64(compressed(t, first)) / float64(len(first)); ratio < 0.4 || ratio > 0.6 {
		t.Errorf("compresses to %.2f of its size, want about half", ratio)
	}
}

func output(t *testing.T, seed uint64, files int) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := run(seed, dir, files, 1); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != files+1 {
		t.Fatalf("%d files: %v", len(list), err)
	}
	var all []byte
	for _, f := range list {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}

func compressed(t *testing.T, data []byte) int {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

func TestWorkChangesTheSum(t *testing.T) {
	if bytes.Equal(burn(1), burn(2)) {
		t.Error("more work gave the same sum: it may be left out")
	}
}
