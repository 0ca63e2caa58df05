// Package bounded reads files whole that the project or the operator wrote: only
// regular ones, only up to a limit, and not a moment longer than the context lasts.
package bounded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"slipway/internal/fault"
)

// Error is a file that was not read because of its kind or its size.
type Error struct {
	Path    string
	Problem string
	Remedy  string
}

func (e *Error) Error() string { return fmt.Sprintf("%q: %s", e.Path, e.Problem) }

// Kind returns fault.Input.
func (e *Error) Kind() fault.Kind { return fault.Input }

// Hint returns the remedy.
func (e *Error) Hint() string { return e.Remedy }

// ReadFile returns the content of the regular file at path, links followed. A file of
// more than limit bytes and one that is not regular (named pipe, device, socket,
// directory) is an *Error; what the system refuses is an *fs.PathError.
func ReadFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	f, err := Open(ctx, path, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(ctx, f, path, limit)
}

// Open opens the regular file at path like ReadFile. Whoever reads from it must still
// bound the reading: the file can grow.
func Open(ctx context.Context, path string, limit int64) (*os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Without O_NONBLOCK, a named pipe blocks until a process opens it for writing.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, kindOfSocket(path, err)
	}
	if err := check(f, path, limit); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// kindOfSocket explains the error of opening a socket, which is ENXIO.
func kindOfSocket(path string, err error) error {
	if info, statErr := os.Stat(path); statErr == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return irregular(path, info.Mode())
	}
	return err
}

func check(f *os.File, path string, limit int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return irregular(path, info.Mode())
	}
	if info.Size() > limit {
		return tooLarge(path, limit)
	}
	return nil
}

// CheckFile returns the error that ReadFile would return for the kind or the size of the
// file at path, and nil where there is no file. It does not open the file.
func CheckFile(path string, limit int64) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return irregular(path, info.Mode())
	case info.Size() > limit:
		return tooLarge(path, limit)
	}
	return nil
}

// ReadGiven is ReadFile for a path that the operator gave: it reads pipes as well, such
// as /dev/stdin and the /dev/fd/63 of a shell's process substitution.
func ReadGiven(ctx context.Context, path string, limit int64) ([]byte, error) {
	if IsPipe(path) {
		return Do(ctx, func() ([]byte, error) {
			f, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return Read(ctx, f, path, limit)
		})
	}
	return ReadFile(ctx, path, limit)
}

// IsPipe reports whether the file at path is a pipe.
func IsPipe(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

// Read returns all of r. More than limit bytes are an *Error that calls r by name. A
// read that blocks is abandoned when ctx ends.
func Read(ctx context.Context, r io.Reader, name string, limit int64) ([]byte, error) {
	return Do(ctx, func() ([]byte, error) {
		data, more, err := readUpTo(r, limit)
		if more {
			return nil, tooLarge(name, limit)
		}
		return data, err
	})
}

// Answer returns all of r, the body of a server's answer. An answer of more than limit
// bytes is an error, but not an *Error: no file of the user is too large.
func Answer(r io.Reader, limit int64) ([]byte, error) {
	data, more, err := readUpTo(r, limit)
	if more {
		return nil, fmt.Errorf("the answer is larger than the limit of %s", Size(limit))
	}
	return data, err
}

// readUpTo returns what r has, and whether that is more than limit bytes.
func readUpTo(r io.Reader, limit int64) (data []byte, more bool, err error) {
	data, err = io.ReadAll(io.LimitReader(r, limit+1))
	return data, err == nil && int64(len(data)) > limit, err
}

// Do returns what f returns, or ctx's error as soon as ctx ends. f is abandoned then: it
// goes on until it returns or the process ends, and must share nothing that is written.
func Do[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}

func tooLarge(path string, limit int64) error {
	return &Error{path, fmt.Sprintf("is larger than the limit of %s", Size(limit)), "make the file smaller, or name another one"}
}

func irregular(path string, mode fs.FileMode) error {
	return &Error{path, "is not a regular file but a " + kind(mode), "put a regular file there, or name another one"}
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

// Size returns a number of bytes in the largest unit that divides it: B, KiB or MiB.
func Size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// Exhausted reports whether err is about the process or the system, which have run out
// of open files or memory, rather than about the file that was asked for.
func Exhausted(err error) bool {
	for _, number := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EINTR} {
		if errors.Is(err, number) {
			return true
		}
	}
	return false
}

// Reader returns a reader of r that ends with ctx: a file can be of any size.
func Reader(ctx context.Context, r io.Reader) io.Reader { return untilDone{ctx, r} }

type untilDone struct {
	ctx context.Context
	io.Reader
}

// Read reads unless the context has ended.
func (r untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
