package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// sums is the name of the file with the checksums, in the form of sha256sum(1).
const sums = "SHA256SUMS"

// write writes the tarball and the list of modules to a directory.
func (r release) write(dir string) error {
	return errors.Join(
		writeFile(filepath.Join(dir, r.name()+".tar.gz"), r.writeTarball),
		writeFile(filepath.Join(dir, r.name()+".cdx.json"), r.writeSBOM))
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// writeTarball writes the programs, executable by everybody and owned by root.
func (r release) writeTarball(w io.Writer) error {
	z := gzip.NewWriter(w)
	archive := tar.NewWriter(z)
	for _, p := range r.programs {
		if err := r.add(archive, p); err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
	}
	return errors.Join(archive.Close(), z.Close())
}

// add copies a program into the archive. Of the file, only name and content
// count.
func (r release) add(archive *tar.Writer, p program) error {
	f, err := os.Open(p.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	err = archive.WriteHeader(&tar.Header{
		Name: p.name, Mode: 0o755, Size: info.Size(), ModTime: r.made, Format: tar.FormatUSTAR,
	})
	if err != nil {
		return err
	}
	_, err = io.Copy(archive, f)
	return err
}

// writeSums writes the checksums of all files in a directory into it.
func writeSums(dir string) error {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, e := range entries {
		sum, err := checksum(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s  %s\n", sum, e.Name())
	}
	return os.WriteFile(filepath.Join(dir, sums), []byte(text.String()), 0o644)
}

// checksum returns the SHA-256 checksum of a file in hex digits.
func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
