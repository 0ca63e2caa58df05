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

	// The build arguments, and the name and the checksum of the Dockerfile. They
	// explain a change of the steps. The key does not have them.
	arguments                 map[string]string
	dockerfile, dockerfileSum string
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
