package bounded

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadFile(t.Context(), path, 5); err != nil || string(got) != "12345" {
		t.Errorf("ReadFile with a limit of the size: got %q, %v", got, err)
	}
	var bound *Error
	if got, err := ReadFile(t.Context(), path, 4); !errors.As(err, &bound) || !strings.Contains(err.Error(), "4 bytes") || bound.Hint() == "" {
		t.Errorf("ReadFile above the limit: got %q, %v, want an *Error that names the limit", got, err)
	}
	if _, err := ReadFile(t.Context(), filepath.Join(dir, "none"), 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadFile of nothing: got %v", err)
	}
}

// TestAnswer: too large an answer is not the fault of a file of the user.
func TestAnswer(t *testing.T) {
	if got, err := Answer(strings.NewReader("12345"), 5); err != nil || string(got) != "12345" {
		t.Errorf("Answer with a limit of the size: got %q, %v", got, err)
	}
	var bound *Error
	if got, err := Answer(strings.NewReader("12345"), 4); err == nil || errors.As(err, &bound) || !strings.Contains(err.Error(), "4 bytes") {
		t.Errorf("Answer above the limit: got %q, %v, want an error that names the limit and is no *Error", got, err)
	}
}

func TestReadFileOfAnotherKind(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", dir+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for path, kind := range map[string]string{dir + "/pipe": "named pipe", dir + "/socket": "socket", "/dev/zero": "device", dir: "directory"} {
		var bound *Error
		for name, read := range map[string]func() error{
			"ReadFile":  func() error { _, err := ReadFile(t.Context(), path, 10); return err },
			"CheckFile": func() error { return CheckFile(path, 10) },
		} {
			if err := read(); !errors.As(err, &bound) || !strings.Contains(err.Error(), kind) {
				t.Errorf("%s(%s): got %v, want an *Error that names a %s", name, path, err, kind)
			}
		}
	}
}

// TestReadGiven reads a pipe as far as the limit, and no longer than its context lasts.
func TestReadGiven(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	write := func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = io.WriteString(f, "12345")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Error(err)
		}
	}
	for limit, ok := range map[int64]bool{5: true, 4: false} {
		go write()
		got, err := ReadGiven(t.Context(), path, limit)
		var bound *Error
		if ok && (err != nil || string(got) != "12345") || !ok && !errors.As(err, &bound) {
			t.Errorf("ReadGiven with a limit of %d: got %q, %v", limit, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if got, err := ReadGiven(ctx, path, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("ReadGiven of a pipe without a writer: got %q, %v", got, err)
	}
}
