package compose

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/tree"

	"slipway/internal/allow"
	"slipway/internal/bounded"
	"slipway/internal/fault"
	"slipway/internal/plain"
)

// boundary keeps the reading of a project inside the project.
type boundary struct {
	wanted *allow.Wanted
	home   string
	// bases are the directories that relative paths of the compose files can start at.
	bases []string
}

const dotEnv = ".env"

// OutsideError is a file that the project may not read, because it lies outside
// the project and the operator did not allow it.
type OutsideError struct{ Path string }

// Error names the file.
func (e *OutsideError) Error() string { return plain.Text(e.Path) + " lies outside the project" }

func outsideError(where, path string) error {
	return &fault.InputError{Where: where, Err: &OutsideError{path}}
}

// own makes the project directory the project's own. What .env chose is not.
func (b *boundary) own(o Options) cli.ProjectOptionsFn {
	return func(p *cli.ProjectOptions) error {
		if len(o.Files) == 0 && len(p.ConfigPaths) > 0 && p.Environment[consts.ComposeFilePath] != "" && !set(o.Environ, consts.ComposeFilePath) {
			return nil
		}
		dir, err := p.GetWorkingDir()
		if err != nil {
			return err
		}
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
		b.wanted.Own(dir, b.home)
		b.bases = append(b.bases, dir)
		return nil
	}
}

// envFiles chooses the env files as cli.WithEnvFiles does, but leaves out a default
// .env that leads out of the project. Files that the operator names are read wherever
// they are.
func (b *boundary) envFiles(o Options) cli.ProjectOptionsFn {
	return func(p *cli.ProjectOptions) error {
		chosen, from := chosenEnvFiles(o)
		if p.EnvFiles = chosen; len(chosen) > 0 {
			return checkChosen(chosen, from)
		}
		disabled, err := withoutDotEnv(o)
		if err != nil || disabled {
			return err
		}
		dir, err := p.GetWorkingDir()
		if err != nil {
			return err
		}
		path := filepath.Join(dir, dotEnv)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && b.mayRead(path, dotEnv) {
			p.EnvFiles = []string{path}
		}
		return nil
	}
}

// mayRead reports whether a path may be read. One that is not there may.
func (b *boundary) mayRead(path, where string) bool {
	if _, err := os.Lstat(path); err != nil {
		return true
	}
	return b.wanted.Read(path, where)
}

// configFiles refuses compose files that the project chose outside itself: through .env,
// or as a link that leads out. A file that the operator names is read wherever it is.
func (b *boundary) configFiles(o Options) cli.ProjectOptionsFn {
	return func(p *cli.ProjectOptions) error {
		byOperator := len(o.Files) > 0 || set(o.Environ, consts.ComposeFilePath)
		for _, f := range p.ConfigPaths {
			path, err := filepath.Abs(f)
			if err != nil {
				return err
			}
			// A link elsewhere, such as /dev/stdin, is not the project's.
			link := allow.Real(path) != filepath.Join(allow.Real(filepath.Dir(path)), filepath.Base(path)) && b.wanted.Owns(filepath.Dir(path))
			if (!byOperator || link) && !b.mayRead(path, filepath.Base(path)) {
				return outsideError(filepath.Base(path), path)
			}
		}
		return nil
	}
}

// readKeys are the fields of a compose file that have another file read: compose-go
// resolves variables in them just before it opens what they name.
var readKeys = map[tree.Path]func(b *boundary, where, value string) error{
	"include.[]":                   (*boundary).file,
	"include.[].path":              (*boundary).file,
	"include.[].path.[]":           (*boundary).file,
	"include.[].project_directory": (*boundary).directory,
	"include.[].env_file":          (*boundary).file,
	"include.[].env_file.[]":       (*boundary).file,
	"services.*.extends.file":      (*boundary).file,
	"jobs.*.extends.file":          (*boundary).file,
}

// observer hooks the boundary into the loader.
func (b *boundary) watch(o *loader.Options) {
	if o.Interpolate == nil {
		return
	}
	casts := maps.Clone(o.Interpolate.TypeCastMapping)
	for path, check := range readKeys {
		casts[path] = func(value string) (any, error) { return value, check(b, string(path), value) }
	}
	o.Interpolate.TypeCastMapping = casts
}

// file checks a file that is read, wherever its relative path starts.
func (b *boundary) file(where, value string) error {
	for _, path := range b.candidates(value) {
		if !b.mayRead(path, where) {
			return outsideError(where, path)
		}
		if err := b.addBase(filepath.Dir(path)); err != nil {
			return err
		}
	}
	return nil
}

// directory checks a directory from which files are read.
func (b *boundary) directory(where, value string) error {
	for _, path := range b.candidates(value) {
		if !b.mayRead(path, where) {
			return outsideError(where, path)
		}
		if err := b.addBase(path); err != nil {
			return err
		}
	}
	return nil
}

// candidates are the places that a path can mean.
func (b *boundary) candidates(value string) []string {
	if filepath.IsAbs(value) || (noRemotes{}).Accept(value) {
		return []string{value}
	}
	var out []string
	for _, dir := range b.bases {
		out = append(out, filepath.Join(dir, value))
	}
	return out
}

// addBase adds a directory that is there, and checks the .env that an include reads there
// by itself.
func (b *boundary) addBase(dir string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() || slices.Contains(b.bases, dir) {
		return nil
	}
	b.bases = append(b.bases, dir)
	if path := filepath.Join(dir, dotEnv); !b.mayRead(path, dotEnv) {
		return outsideError(dotEnv, path)
	}
	return nil
}

// unquoted rewrites what the loader says of a file that it cannot parse, so that nothing
// of the file's content is in it: what does not read as a compose file can be any file of
// this host.
func unquoted(err error) error {
	text := err.Error()
	if m := parseFailed.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%syaml: %s", m[1], summary(m[2], yamlKind))
	}
	if m := readFailed.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s: %s", m[1], summary(m[2], envKind))
	}
	if m := invalid.FindStringSubmatch(text); m != nil && !composeFile(m[1]) {
		return fmt.Errorf("%s is not a compose file: none of its keys is one of a compose file", m[1])
	}
	if m := keyFailed.FindString(text); m != "" {
		return errors.New(m)
	}
	return err
}

var (
	parseFailed = regexp.MustCompile(`(?s)^(|.*? )yaml: (.*)$`)
	readFailed  = regexp.MustCompile(`(?s)^(.*failed to read [^\n]+?): (.*)$`)
	invalid     = regexp.MustCompile(`(?s)validating ([^\n]+?): `)
	keyFailed   = regexp.MustCompile(`(?i)^non-string key [^:]*`)
	// composeKey is a key at the top of a compose file, in YAML or JSON.
	composeKey = regexp.MustCompile(`(?m)(?:^|[{,]\s*)["']?(?:services|include|networks|volumes|secrets|configs|models|name|version)["']?\s*:(?:\s|$)`)
	lineNumber = regexp.MustCompile(`line (\d+)`)
	// yamlKind and envKind match the words of the parsers for a mistake,
	// without what they quote.
	yamlKind = regexp.MustCompile(`found [a-z ]*(?:character|escape|document|end of stream|directive|tab|tag)[a-z ]*|(?:did|could) not find expected [^\n'"` + "`" + `]*(?:'.'(?: or '.')?)?|mapping values are not allowed in this context|block (?:sequence|mapping) entries are not allowed in this context|cannot (?:unmarshal|construct) ![!a-z]+|exceeded max depth|excessive aliasing|unknown anchor|mapping key "[A-Za-z0-9_.-]{1,40}" already defined|permission denied|is a directory`)
	envKind  = regexp.MustCompile(`required variable [A-Za-z0-9_]{1,40} is missing a value|unexpected character|key cannot contain a space|unterminated quoted value|permission denied|is a directory`)
)

// composeFile reports whether a file that parsed as YAML has a key of a compose file.
func composeFile(path string) bool {
	text, err := bounded.ReadFile(context.Background(), path, MaxComposeFile)
	return err == nil && composeKey.Match(text)
}

// summary is the position and the kind of a mistake.
func summary(text string, kind *regexp.Regexp) string {
	out, at := "cannot be parsed", len(text)
	if m := kind.FindStringIndex(text); m != nil {
		out, at = text[m[0]:m[1]], m[0]
	}
	// The position stands before the kind.
	if lines := lineNumber.FindAllStringSubmatch(text[:at], -1); lines != nil {
		out = "line " + lines[len(lines)-1][1] + ": " + out
	}
	return out
}
