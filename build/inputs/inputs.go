// Package inputs finds out what the image of a component depends on: the steps
// of its Dockerfile, the files that they read, the digests of the images and the
// commits of the repositories that they start from.
//
// [Of] lets BuildKit's own frontend read the Dockerfile in this process, with the
// request that an engine would get, and hashes what its definition reads. Two
// builds whose inputs have the same key make images with the same content, apart
// from what steps fetch from the network.
package inputs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Inputs is all that the image of a component depends on.
type Inputs struct {
	// Settings is the checksum of what shapes the image and is not in a
	// definition: compression and attestations.
	Settings string `json:"settings"`
	// Steps are the checksums of the definition and of the image's configuration
	// by platform, without the content of the sources.
	Steps map[string]string `json:"steps"`
	// Trees are the checksums of all that a platform's definition selects of a
	// context, by platform and context.
	Trees map[string]string `json:"trees,omitempty"`
	// Files are the checksums of the selected files by path; those of an additional
	// context have its name and a colon before it, and directories a slash behind.
	Files map[string]string `json:"files,omitempty"`
	// Images are the digests of the images by reference.
	Images map[string]string `json:"images,omitempty"`
	// Commits are those of git repositories by address.
	Commits map[string]string `json:"commits,omitempty"`
	// Components are the keys of the components whose images are contexts.
	Components map[string]string `json:"components,omitempty"`
}

// keyLength is the length of a key in hex digits.
const keyLength = 32

// Key names the inputs: equal inputs have equal keys. It has 32 hex digits.
func (i *Inputs) Key() string {
	text, err := json.Marshal(i)
	if err != nil {
		panic(err) // strings and maps of strings: cannot happen
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:keyLength]
}

// Changes lists what differs from older inputs, in words: files first, then
// images, commits, components and steps. It is empty if the keys are equal.
func (i *Inputs) Changes(old *Inputs) []string {
	var out []string
	out = append(out, changed("", i.Files, old.Files)...)
	out = append(out, changed("base image ", i.Images, old.Images)...)
	out = append(out, changed("commit of ", i.Commits, old.Commits)...)
	out = append(out, changed("image of ", i.Components, old.Components)...)
	if !maps.Equal(i.Steps, old.Steps) {
		out = append(out, "the steps of the Dockerfile")
	}
	if i.Settings != old.Settings {
		out = append(out, "the build settings")
	}
	return out
}

// changed lists the names under which two maps differ, sorted.
func changed(prefix string, a, b map[string]string) []string {
	names := map[string]bool{}
	for name, value := range a {
		if b[name] != value {
			names[name] = true
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names[name] = true
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !explained(name, names) {
			out = append(out, prefix+name)
		}
	}
	return out
}

// explained reports whether a name is that of a directory in which something is
// named as well.
func explained(name string, names map[string]bool) bool {
	if !strings.HasSuffix(name, "/") {
		return false
	}
	for other := range names {
		if other != name && strings.HasPrefix(other, name) {
			return true
		}
	}
	return false
}
