package buildspec

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/internal/shell"
)

// Variables that `slipway build --output env` prints and a generated buildspec
// exports. HashVariable is also the variable of build's flag --hash: a later
// action with this variable builds under the same name.
const (
	HashVariable     = "SLIPWAY_HASH"     // the hash that was asked for or derived
	RevisionVariable = "SLIPWAY_REVISION" // what the revision came to be called: the hash, or hash.2
)

// Spec describes a buildspec to generate.
type Spec struct {
	// Install is the download of slipway; nil if the build image contains it.
	Install *Download
	// Args are the arguments of `slipway build`, unquoted.
	Args []string
	// Files are the files of the build for later pipeline actions, relative to
	// the source's directory; empty if it writes none.
	Files []string
}

// document has the keys of "Build specification reference for CodeBuild" that
// a generated buildspec uses.
type document struct {
	Version float64 `yaml:"version"`
	Env     struct {
		Exported []string `yaml:"exported-variables,flow"`
	} `yaml:"env"`
	Phases struct {
		Build struct {
			Commands []string `yaml:"commands"`
		} `yaml:"build"`
	} `yaml:"phases"`
	Artifacts *artifacts `yaml:"artifacts,omitempty"`
}

type artifacts struct {
	Files []string `yaml:"files"`
}

// YAML returns the buildspec, version 0.2. Everything is in the build phase:
// CodeBuild runs post_build after a failed build phase too ("Build phase
// transitions" in the CodeBuild user guide), so commands that publish must not be
// there. Errors are an *InstallError.
func (s Spec) YAML() ([]byte, error) {
	var d document
	d.Version = 0.2
	d.Env.Exported = []string{HashVariable, RevisionVariable}
	if s.Install != nil {
		if err := s.Install.Check(); err != nil {
			return nil, err
		}
		d.Phases.Build.Commands = s.Install.commands()
	}
	d.Phases.Build.Commands = append(d.Phases.Build.Commands, s.build())
	if len(s.Files) > 0 {
		d.Artifacts = &artifacts{s.Files}
	}
	out := bytes.NewBufferString(s.comment())
	e := yaml.NewEncoder(out)
	e.SetIndent(2)
	if err := e.Encode(d); err != nil {
		return nil, fmt.Errorf("writing the buildspec: %w", err)
	}
	return out.Bytes(), e.Close()
}

func (s Spec) comment() string {
	image := "# slipway is expected in the build image, with buildkitd and runc for a layer cache.\n"
	if s.Install != nil {
		image = "# For a layer cache, buildkitd and runc are in the build image or next to slipway.\n"
	}
	return "# Written by slipway buildspec. The CodeBuild project needs privileged mode.\n" + image
}

// build keeps the exit code of slipway: that of `export $(…)` or `eval "$(…)"`
// would always be 0. A revision's name contains no character at which the shell
// would split it.
func (s Spec) build() string {
	words := []string{"slipway", "build", "--output", "env"}
	for _, a := range s.Args {
		words = append(words, shell.Word(a))
	}
	return "variables=$(" + strings.Join(words, " ") + ") && export $variables"
}
