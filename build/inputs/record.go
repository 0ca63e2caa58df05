package inputs

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Record is a summary of the inputs of an image, to name the inputs that have
// changed since. It has names, digests of images and checksums, and no value. The
// checksums are short: two inputs may have the same one, and then a change has no
// name.
type Record struct {
	Settings string `json:"settings"`
	// Steps, Trees, Images, Commits and Components are as in Inputs.
	Steps      map[string]string `json:"steps,omitempty"`
	Trees      map[string]string `json:"trees,omitempty"`
	Images     map[string]string `json:"images,omitempty"`
	Commits    map[string]string `json:"commits,omitempty"`
	Components map[string]string `json:"components,omitempty"`
	// Digests are those of the images by reference. Older records have none.
	Digests map[string]string `json:"digests,omitempty"`
	// Dockerfile is the checksum of the file's text, comments included, and
	// DockerfileName the name of the file. Older records have no name.
	Dockerfile     string `json:"dockerfile,omitempty"`
	DockerfileName string `json:"dockerfileName,omitempty"`
	// Arguments are the build arguments that the build gives, used or not.
	Arguments map[string]string `json:"arguments,omitempty"`
	// Files are as in Inputs, and FilesLeftOut reports that they are too many.
	Files        map[string]string `json:"files,omitempty"`
	FilesLeftOut bool              `json:"filesLeftOut,omitempty"`
}

// The lengths of the checksums in hex digits. Those of arguments do not confirm
// a guess of a value: one value in 65,536 has the same.
const (
	recordSum   = 8
	argumentSum = 4
)

// Record returns the summary of the inputs.
func (i *Inputs) Record() *Record {
	return &Record{
		Settings: i.Settings,
		Steps:    shortened(i.Steps, recordSum), Trees: shortened(i.Trees, recordSum),
		Images: shortened(i.Images, recordSum), Commits: shortened(i.Commits, recordSum),
		Components: shortened(i.Components, recordSum), Files: shortened(i.Files, recordSum),
		Dockerfile: i.dockerfileSum, Arguments: shortened(i.arguments, argumentSum),
		DockerfileName: i.dockerfile, Digests: maps.Clone(i.Images),
	}
}

// BaseImage is an image from which an image was built.
type BaseImage struct {
	// Name is the name by which users know the image, with its tag.
	Name string `json:"name"`
	// Digest is sha256:…, empty where the record does not have it.
	Digest string `json:"digest,omitempty"`
}

// String returns NAME@DIGEST, or the name alone.
func (b BaseImage) String() string {
	if b.Digest == "" {
		return b.Name
	}
	return b.Name + "@" + b.Digest
}

// BaseImages returns the images of the record, in order of name.
func (r *Record) BaseImages() []BaseImage {
	out := []BaseImage{}
	for _, ref := range slices.Sorted(maps.Keys(r.Images)) {
		name, pinned := familiar(ref)
		out = append(out, BaseImage{Name: name, Digest: cmp.Or(r.Digests[ref], pinned)})
	}
	return out
}

// shortened returns a checksum of each value. Names become valid UTF-8, as JSON
// has them.
func shortened(values map[string]string, length int) map[string]string {
	out := make(map[string]string, len(values))
	for name, value := range values {
		out[strings.ToValidUTF8(name, "\uFFFD")] = checksum(name, value)[:length]
	}
	return out
}

// The limits of an encoded record in bytes: compressed, and not. Some 200,000
// files fit.
const (
	maxRecord = 4 << 20
	maxText   = 64 << 20
)

// Encode returns the record as compressed JSON, of 4 MiB at most: beyond that,
// it is without the files. The same record has the same bytes.
func (r *Record) Encode() ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	data, err := compressed(text)
	if err == nil && (len(data) > maxRecord || len(text) > maxText) && !r.FilesLeftOut {
		less := *r
		less.Files, less.FilesLeftOut = nil, true
		return less.Encode()
	}
	return data, err
}

func compressed(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}

// DecodeRecord reads what Encode has returned.
func DecodeRecord(data []byte) (*Record, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("reading the recorded inputs: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(zipped, maxText+1))
	if err == nil && len(text) > maxText {
		err = fmt.Errorf("they have more than %d MiB", maxText>>20)
	}
	r := &Record{}
	if err == nil {
		err = json.Unmarshal(text, r)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the recorded inputs: %w", err)
	}
	return r, nil
}
