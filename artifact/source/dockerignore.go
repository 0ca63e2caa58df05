package source

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// dockerIgnore is one .dockerignore and what it said about the directory that the walk
// is in.
type dockerIgnore struct {
	base     string // its directory, with a slash at the end, "" for the top
	patterns *patternmatcher.PatternMatcher
	parent   patternmatcher.MatchInfo
	excluded bool // that directory is
}

// dockerIgnores are those that hold in one directory.
type dockerIgnores []dockerIgnore

// with adds the .dockerignore of the directory called name.
func (d dockerIgnores) with(name string, data []byte) (dockerIgnores, error) {
	lines, err := ignorefile.ReadAll(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	patterns, err := patternmatcher.New(lines)
	if err != nil {
		return nil, err
	}
	base := ""
	if name != "." {
		base = name + "/"
	}
	return append(slices.Clone(d), dockerIgnore{base: base, patterns: patterns}), nil
}

// selection is the decision about an entry.
type selection int

const (
	keep selection = iota
	// descend leaves a directory out, but not all of its entries.
	descend
	exclude
)

// buildFiles are the names of files that a build starts from. Docker reads a Dockerfile
// that .dockerignore names all the same, and CodeBuild finds no build without these.
var buildFiles = regexp.MustCompile(`(?i)^(dockerfile|dockerfile\..*|.*\.dockerfile|\.dockerignore|(docker-)?compose.*\.ya?ml|buildspec.*\.ya?ml)$`)

// classify decides about an entry, and returns the rules below it if it is a
// directory. The rules are those of "Dockerignore files" in Docker's build
// documentation.
func (d dockerIgnores) classify(name string, isDir bool) (selection, dockerIgnores, error) {
	out := keep
	below := slices.Clone(d)
	for i, scope := range d {
		excluded, info, err := scope.patterns.MatchesUsingParentResults(strings.TrimPrefix(name, scope.base), scope.parent)
		if err != nil {
			return keep, nil, err
		}
		below[i].parent, below[i].excluded = info, excluded
		switch {
		case !excluded:
		case isDir && scope.patterns.Exclusions():
			out = max(out, descend)
		default:
			out = exclude
		}
	}
	away := func(scope dockerIgnore) bool { return scope.excluded }
	if !isDir && buildFiles.MatchString(path.Base(name)) && !slices.ContainsFunc(d, away) {
		out = keep
	}
	return out, below, nil
}
