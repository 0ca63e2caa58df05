package build

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/moby/buildkit/session/secrets/secretsprovider"
)

// checkSecretFile reports what keeps a file from being a secret, without reading it.
// BuildKit takes at most 500 KiB (session/secrets/secretsprovider, MaxSecretSize).
func checkSecretFile(path string) error {
	f, err := openSecret(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// readSecret reads the value of a secret.
func readSecret(path string) ([]byte, error) {
	f, err := openSecret(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Files below /proc have the size 0 and grow when they are read.
	data, err := io.ReadAll(io.LimitReader(f, secretsprovider.MaxSecretSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > secretsprovider.MaxSecretSize {
		return nil, tooLarge(path)
	}
	return data, nil
}

// openSecret opens a regular file of a size that BuildKit takes. O_NONBLOCK keeps it from
// waiting for the writer of a pipe.
func openSecret(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file", path)
	case info.Size() > secretsprovider.MaxSecretSize:
		err = tooLarge(path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func tooLarge(path string) error {
	return fmt.Errorf("%s is too large: BuildKit takes secrets of at most %d KiB", path, secretsprovider.MaxSecretSize>>10)
}
