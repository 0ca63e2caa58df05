package source

import (
	"archive/zip"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// MaxArchive is the size in bytes above which an archive is refused: 1 GiB. A
// larger directory was probably not intended, and takes longer to send than to
// build.
const MaxArchive = 1 << 30

// Archive is a packed source in a temporary file. If the system allows it, the file
// has no name anymore and is removed with the process, however that ends. Close
// it.
type Archive struct {
	// Size is in bytes.
	Size int64
	// Content is the SHA-256, in hex, of all names, modes, link targets and bytes
	// in it. Unlike Digest it does not change with the compressor.
	Content string
	// Digest is the SHA-256 of the archive itself, in hex.
	Digest string

	file    *os.File
	tmpName string // to be removed at Close; "" if it has gone
}

// Pack writes the source as a zip to a temporary file. The same content has the same
// bytes: names are sorted, times are fixed, permissions and links are kept as they are.
// An archive of more than limit bytes (MaxArchive if 0) is a *Error, and so
// is a file that can no longer be read.
func (s *Source) Pack(ctx context.Context, limit int64) (*Archive, error) {
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return nil, badSource(s.Dir, "name a directory that may be read", "%v", cause(err))
	}
	defer root.Close()
	a, err := newArchive()
	if err != nil {
		return nil, err
	}
	if err := s.packTo(ctx, a, root.FS(), cmp.Or(limit, MaxArchive)); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func newArchive() (*Archive, error) {
	f, err := os.CreateTemp("", "slipway-source-*.zip")
	if err != nil {
		return nil, fmt.Errorf("creating a temporary file in TMPDIR: %w", err)
	}
	a := &Archive{file: f}
	if os.Remove(f.Name()) != nil {
		a.tmpName = f.Name() // a system that keeps the names of open files
	}
	return a, nil
}

// Close removes the temporary file.
func (a *Archive) Close() error {
	err := a.file.Close()
	if a.tmpName != "" {
		err = errors.Join(err, os.Remove(a.tmpName))
	}
	return err
}

// reader reads the archive from its beginning.
func (a *Archive) reader() *io.SectionReader { return io.NewSectionReader(a.file, 0, a.Size) }

func (s *Source) packTo(ctx context.Context, a *Archive, tree fs.FS, limit int64) error {
	digest, content := sha256.New(), sha256.New()
	out := &boundedWriter{w: io.MultiWriter(a.file, digest), limit: limit}
	z := zip.NewWriter(out)
	for _, e := range s.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := packEntry(z, content, tree, e); err != nil {
			return s.packFailure(e, limit, err)
		}
	}
	if err := z.Close(); err != nil {
		return s.packFailure(Entry{}, limit, err)
	}
	a.Size = out.written
	a.Digest, a.Content = hex.EncodeToString(digest.Sum(nil)), hex.EncodeToString(content.Sum(nil))
	return nil
}

// packEntry adds one entry to the archive and to the hash of the content.
func packEntry(z *zip.Writer, content hash.Hash, tree fs.FS, e Entry) error {
	h := &zip.FileHeader{
		Name: e.Name,
		//lint:ignore SA1019 with Modified set, the time would be written twice
		ModifiedDate: zipEpoch,
		Method:       zip.Deflate,
	}
	h.SetMode(keptMode(e.Mode))
	if e.Mode.IsDir() {
		h.Name, h.Method = e.Name+"/", zip.Store
	}
	body, err := openEntry(tree, e)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it vanished
	}
	if err != nil {
		return &readError{err}
	}
	w, err := z.CreateHeader(h)
	if err != nil {
		return errors.Join(err, body.Close())
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(w, sum), marked{body})
	if err := errors.Join(err, body.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(content, "%q %o %x\n", h.Name, h.Mode(), sum.Sum(nil))
	return err
}

// keptMode returns the bits of a mode that belong to the content. A directory's
// set-group-id bit only affects new files on this host.
func keptMode(m fs.FileMode) fs.FileMode {
	if m.Type() == 0 {
		return m & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	}
	if m.Type() == fs.ModeSymlink {
		return fs.ModeSymlink | 0o777 // a link has no permissions of its own
	}
	return m.Type() | m.Perm()
}

// openEntry opens the bytes of an entry: a link has its target, a directory has none.
func openEntry(tree fs.FS, e Entry) (io.ReadCloser, error) {
	switch {
	case e.Mode.IsDir():
		return io.NopCloser(strings.NewReader("")), nil
	case e.Mode.Type() != fs.ModeSymlink:
		return tree.Open(e.Name)
	}
	target, err := fs.ReadLink(tree, e.Name)
	return io.NopCloser(strings.NewReader(target)), err
}

// readError distinguishes errors of reading from errors of writing.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// marked marks errors of reading.
type marked struct{ io.Reader }

func (m marked) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = &readError{err}
	}
	return n, err
}

func (s *Source) packFailure(e Entry, limit int64, err error) error {
	var unreadable *readError
	switch {
	case errors.Is(err, errTooLarge):
		return causedBy(TooMuch, s.Dir, "the archive is larger than %s; the largest files: %s", byteSize(limit), s.largest())
	case errors.As(err, &unreadable):
		return &Error{
			Dir:      s.Dir,
			Problems: []Problem{{e.Name, fmt.Sprintf("it cannot be read: %v", cause(unreadable.err))}},
			remedy:   "run the same command again when nothing writes to the directory",
		}
	default:
		return fmt.Errorf("packing %q to a temporary file in TMPDIR: %w", s.Dir, err)
	}
}

// largest returns the largest files.
func (s *Source) largest() string {
	bySize := slices.Clone(s.Entries)
	slices.SortStableFunc(bySize, func(a, b Entry) int { return cmp.Compare(b.Size, a.Size) })
	var out []string
	for _, e := range bySize[:min(3, len(bySize))] {
		out = append(out, fmt.Sprintf("%q (%s)", e.Name, byteSize(e.Size)))
	}
	return strings.Join(out, ", ")
}

func byteSize(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
}

var errTooLarge = errors.New("the archive is too large")

// boundedWriter fails at a limit, before the disk is full.
type boundedWriter struct {
	w              io.Writer
	written, limit int64
}

func (b *boundedWriter) Write(p []byte) (int, error) {
	if b.written+int64(len(p)) > b.limit {
		return 0, errTooLarge
	}
	n, err := b.w.Write(p)
	b.written += int64(n)
	return n, err
}

// zipEpoch is 1 January 1980 as MS-DOS counts days: the first day that a zip
// file can tell.
const zipEpoch = 1<<5 | 1
