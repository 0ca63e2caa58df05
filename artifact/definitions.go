// Package artifact makes the files of a build: the definitions that CodePipeline
// deploys, which are written whole or not at all, and the archive of a source
// directory. It uploads both to S3, and writes the lifecycle rules that let them
// expire there.
package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"slipway/internal/fault"
)

// MaxDefinitionsBytes is the most an image definitions file may hold. The
// CodePipeline user guide says 100 KB without saying which kilobyte it means;
// this is the smaller reading, which is accepted either way.
const MaxDefinitionsBytes = 100_000

// Definition is the image that a container of an ECS task is to run. The names
// are those of the image definitions file reference in the CodePipeline user
// guide.
type Definition struct {
	Name     string `json:"name"`     // the container's name in the task definition
	ImageURI string `json:"imageUri"` // repository with tag or digest
}

// ErrNoDefinitions is the error for an image definitions file without entries.
var ErrNoDefinitions = errors.New("an image definitions file needs at least one container")

// DefinitionError is an error in one entry of an image definitions file, or in
// an image detail file.
type DefinitionError struct {
	Entry  int    // counted from 1; 0 for an image detail file
	Field  string // as in the file, or empty for the entry itself
	Reason string
}

func (e *DefinitionError) Error() string {
	switch {
	case e.Entry == 0:
		return fmt.Sprintf("image detail, %s: %s", e.Field, e.Reason)
	case e.Field == "":
		return fmt.Sprintf("image definitions, entry %d: %s", e.Entry, e.Reason)
	}
	return fmt.Sprintf("image definitions, entry %d, %s: %s", e.Entry, e.Field, e.Reason)
}

// TooLargeError is an image definitions file that CodePipeline would refuse.
type TooLargeError struct {
	Size  int // bytes
	Limit int // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("image definitions of %d bytes are more than the %d that CodePipeline accepts", e.Size, e.Limit)
}

// Hint says how to make the file smaller.
func (e *TooLargeError) Hint() string {
	return "give some services an ECS service of their own (x-slipway.ecs), which has its own file"
}

// Kind returns fault.Input.
func (e *TooLargeError) Kind() fault.Kind { return fault.Input }

// Definitions returns the image definitions file (imagedefinitions.json) for
// one ECS service, with the entries in the order given, a line each. The error
// is ErrNoDefinitions, a *DefinitionError or a *TooLargeError.
func Definitions(defs []Definition) ([]byte, error) {
	if err := check(defs); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	separator := "[\n  "
	for _, d := range defs {
		b.WriteString(separator)
		separator = ",\n  "
		line, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		b.Write(line)
	}
	b.WriteString("\n]\n")
	if b.Len() > MaxDefinitionsBytes {
		return nil, &TooLargeError{b.Len(), MaxDefinitionsBytes}
	}
	return b.Bytes(), nil
}

// ImageDetail returns the imageDetail.json that CodePipeline's blue/green
// deploy action reads, for the image at uri. The error is a *DefinitionError.
func ImageDetail(uri string) ([]byte, error) {
	if reason := badImage(uri); reason != "" {
		return nil, &DefinitionError{0, "ImageURI", reason}
	}
	line, err := json.Marshal(struct{ ImageURI string }{uri})
	return append(line, '\n'), err
}

// check also makes sure that JSON has to escape nothing.
func check(defs []Definition) error {
	if len(defs) == 0 {
		return ErrNoDefinitions
	}
	entries := map[string]int{}
	for i, d := range defs {
		if len(d.Name) > maxContainerName || !containerName.MatchString(d.Name) {
			return &DefinitionError{i + 1, "name", fmt.Sprintf("%q is not an ECS container name: use up to 255 letters, digits, '-' and '_'", d.Name)}
		}
		if first := entries[d.Name]; first > 0 {
			return &DefinitionError{i + 1, "name", fmt.Sprintf("%q is already the name of entry %d", d.Name, first)}
		}
		entries[d.Name] = i + 1
		if reason := badImage(d.ImageURI); reason != "" {
			return &DefinitionError{i + 1, "imageUri", reason}
		}
	}
	return nil
}

// containerName is the grammar of ContainerDefinition.name in the ECS API
// reference.
var containerName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// maxContainerName is the length of the longest name of a container.
const maxContainerName = 255

// badImage returns the error in an image reference, or "". The parser reads an
// empty tag as no tag, but it is a variable that was not set.
func badImage(uri string) string {
	if strings.HasSuffix(uri, ":") {
		return fmt.Sprintf("%q ends in an empty tag", uri)
	}
	if _, err := name.ParseReference(uri); err != nil {
		return fmt.Sprintf("%q is not an image reference", uri)
	}
	return ""
}
