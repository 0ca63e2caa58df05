package artifact

import (
	"archive/zip"
	"bytes"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// firstDay is 1 January 1980 as MS-DOS counts days: the first one a zip has.
const firstDay = 1<<5 | 1

// Zip packs files, by their slash-separated relative names, into an archive
// that has the same bytes whenever it has the same content, so that S3 and
// CodePipeline see a change only where there is one.
func Zip(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !fs.ValidPath(name) || name == "." || strings.Contains(name, `\`) {
			return nil, fmt.Errorf("zip: %q is not a relative file name", name)
		}
		if err := store(w, name, files[name]); err != nil {
			return nil, fmt.Errorf("zip: %q: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	return b.Bytes(), nil
}

// store adds a file without compression, because a compressor's output can change
// with its version. Size and checksum go before the bytes: Java's reader refuses a
// stored file with a data descriptor.
func store(w *zip.Writer, name string, data []byte) error {
	h := &zip.FileHeader{
		Name:   name,
		Method: zip.Store,
		//lint:ignore SA1019 CreateRaw does not look at Modified
		ModifiedDate:       firstDay,
		CRC32:              crc32.ChecksumIEEE(data),
		CompressedSize64:   uint64(len(data)),
		UncompressedSize64: uint64(len(data)),
	}
	h.SetMode(0o644)
	f, err := w.CreateRaw(h)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return err
}
