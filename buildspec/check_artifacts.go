package buildspec

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const definitionsHere = "build with --definitions-dir \"$CODEBUILD_SRC_DIR\", or set artifacts.base-directory to the directory of the file"

// artifactRules check that the definitions arrive where a deploy action reads
// them: at the top of the artifact, under the name of the action ("Image
// definitions file reference" in the CodePipeline user guide).
var artifactRules = []rule{
	{
		name: "no-artifacts", severity: Breaks,
		problem: "the build writes definitions and the artifacts do not list them: CodePipeline's deploy action finds no file",
		remedy:  "list them: artifacts: {files: [imagedefinitions.json]}",
		find:    func(s *spec) []int { return s.definitionsIn(unlisted) },
	},
	{
		name: "artifact-elsewhere", severity: Breaks,
		problem: "the definitions are written to another directory than the one that the artifacts name: CodeBuild finds no file",
		remedy:  definitionsHere,
		find:    func(s *spec) []int { return s.definitionsIn(elsewhere) },
	},
	{
		name: "artifact-nested", severity: Breaks,
		problem: "the definitions lie in a directory of the artifact: CodePipeline's deploy action reads them at its top",
		remedy:  definitionsHere + ", or set artifacts.discard-paths to yes",
		find:    func(s *spec) []int { return s.definitionsIn(nested) },
	},
	{
		name: "definitions-name", severity: Danger,
		problem: "a deploy action does not read a file of this name unless its FileName says so: it reads imagedefinitions.json, or imageDetail.json for a blue/green deployment",
		remedy:  "call the file imagedefinitions.json",
		find:    misnamedDefinitions,
	},
}

// artifact is one of the artifacts of a buildspec.
type artifact struct {
	base    string // the directory that the patterns are relative to
	discard bool   // the files have no directories in the artifact
	files   []*yaml.Node
}

// readArtifacts reads the artifacts and the secondary ones.
func (s *spec) readArtifacts() {
	section := at(s.top, "artifacts")
	all := []*yaml.Node{section}
	for _, p := range pairs(at(section, "secondary-artifacts")) {
		all = append(all, p.value)
	}
	for _, n := range all {
		a := artifact{base: ".", files: items(at(n, "files"))}
		if base := at(n, "base-directory"); base != nil {
			a.base = resolve(".", base.Value)
		}
		if discard := at(n, "discard-paths"); discard != nil {
			a.discard = slices.Contains([]string{"yes", "true", "on"}, strings.ToLower(discard.Value))
		}
		s.artifacts = append(s.artifacts, a)
	}
}

// place is where a file is in the artifacts.
type place int

const (
	unlisted place = iota
	elsewhere
	nested
	top
)

// definitionsIn returns the lines that write definitions which the artifacts have
// in a place. If a command moves files, or a variable names their directory, it is
// not known where they end.
func (s *spec) definitionsIn(want place) []int {
	moved := len(s.matching(movesFiles)) > 0 || slices.ContainsFunc(s.variables, func(v pair) bool { return v.key == directoryVariable })
	var out []int
	for _, step := range s.steps() {
		for _, file := range definitionsWritten(step) {
			got := s.placeOf(file)
			if moved && got != unlisted {
				got = top
			}
			if got == want {
				out = append(out, step.line)
			}
		}
	}
	return out
}

var (
	redirected   = regexp.MustCompile(`>\s*["']?([^"'\s]*(?i:image[-_]?(?:definition|detail)s?)[^"'\s]*\.json)`)
	noDefinition = regexp.MustCompile(`--(?:plan|dry-run|no-latest|untrusted|rollout|artifact)\b`)
	inDirectory  = regexp.MustCompile(`--definitions-dir(?:=|\s+)(\S+)`)
	movesFiles   = regexp.MustCompile(`\b(?:cp|mv|ln|install|rsync|tar|zip|unzip)\s|\b` + directoryVariable + `=`)
)

// directoryVariable is the variable of the flag --definitions-dir.
const directoryVariable = "SLIPWAY_DEFINITIONS_DIR"

// written is a definitions file, with the directory that has it, or "".
type written struct{ dir, name string }

func definitionsWritten(s step) []written {
	var out []written
	for _, m := range redirected.FindAllStringSubmatch(s.text, -1) {
		out = append(out, written{resolve(s.dir, path.Dir(m[1])), path.Base(m[1])})
	}
	if slipwayBuild.MatchString(s.text) && !noDefinition.MatchString(s.text) {
		dir := s.dir
		if m := inDirectory.FindStringSubmatch(s.text); m != nil {
			dir = resolve(dir, m[1])
		}
		out = append(out, written{dir, "imagedefinitions*.json"})
	}
	return out
}

// placeOf returns the best place that an artifact gives a file.
func (s *spec) placeOf(file written) place {
	best := unlisted
	for _, a := range s.artifacts {
		for _, f := range a.files {
			best = max(best, a.place(path.Clean(f.Value), file))
		}
	}
	return best
}

// place returns where a pattern puts a file. It is the top if the text does not
// show where one of them is.
func (a artifact) place(pattern string, file written) place {
	dir, last := path.Split(pattern)
	if !matchesName(last, file.name) {
		return unlisted
	}
	if a.base == "" || file.dir == "" || path.IsAbs(pattern) || strings.Contains(pattern, "$") {
		return top
	}
	below, err := filepath.Rel(a.base, file.dir)
	below = filepath.ToSlash(below)
	switch {
	case err != nil || !matchesDirectory(segments(dir, last), segments(below, "")):
		return elsewhere
	case below == "." || a.discard:
		return top
	}
	return nested
}

// matchesName reports whether the last part of a pattern includes a file. For a
// name with a `*`, one matching file is enough.
func matchesName(last, name string) bool {
	prefix, _, open := strings.Cut(name, "*")
	matched, _ := path.Match(last, name)
	return last == "**" || matched || open && strings.HasPrefix(last, prefix)
}

// segments returns the parts of a directory. A pattern that ends with ** has it as
// a directory, too.
func segments(dir, last string) []string {
	out := slices.DeleteFunc(strings.Split(dir, "/"), func(s string) bool { return s == "" || s == "." })
	if last == "**" {
		out = append(out, last)
	}
	return out
}

// matchesDirectory reports whether a pattern's directory includes another; ** stands
// for any number of parts. The time grows with the product of their lengths.
func matchesDirectory(pattern, dir []string) bool {
	// reached has, for each number of the first parts, whether they match so far.
	reached := make([]bool, len(dir)+1)
	reached[0] = true
	for _, p := range pattern {
		next := make([]bool, len(dir)+1)
		for i := range reached {
			if p == "**" {
				next[i] = reached[i] || i > 0 && next[i-1]
			} else if i > 0 && reached[i-1] {
				next[i], _ = path.Match(p, dir[i-1])
			}
		}
		reached = next
	}
	return reached[len(dir)]
}

var (
	nearName = regexp.MustCompile(`(?i)^image[-_]?(?:definition|detail)s?\.(?:json|ya?ml)$`)
	readable = []string{"imagedefinitions.json", "imageDetail.json"}
)

// misnamedDefinitions returns the lines with a name that is nearly that of a
// definitions file.
func misnamedDefinitions(s *spec) []int {
	misnamed := func(name string) bool {
		base := path.Base(name)
		return nearName.MatchString(base) && !slices.Contains(readable, base)
	}
	var out []int
	for _, c := range s.commands {
		for _, m := range redirected.FindAllStringSubmatch(c.text, -1) {
			if misnamed(m[1]) {
				out = append(out, c.line)
			}
		}
	}
	for _, a := range s.artifacts {
		for _, f := range a.files {
			if misnamed(f.Value) {
				out = append(out, f.Line)
			}
		}
	}
	return out
}
