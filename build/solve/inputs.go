package solve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/util/staticfs"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"

	"slipway/internal/allow"
	"slipway/internal/bounded"
	"slipway/project/compose"
)

// Inputs is the hex sha256 of the target's resolved build settings: everything that
// shapes the request but the files. Paths are taken relative to root, so that two
// checkouts agree, and secrets count by id. Neither the commit nor the hash is in it.
// A target that names no platform is built for the engine's own, which counts as if it
// were named; empty leaves it open.
func (t Target) Inputs(root, platform string) string {
	rel := func(p string) string {
		if r, err := filepath.Rel(root, p); err == nil && p != "" {
			return filepath.ToSlash(r)
		}
		return p
	}
	c := t
	c.Settings, c.Image, c.Tags, c.Container = compose.ServiceSettings{}, "", nil, ""
	c.Context.Dir, c.Dockerfile = rel(t.Context.Dir), rel(t.Dockerfile)
	if t.Context.Dir == "" {
		c.Context.Dir, c.Dockerfile = "", t.Dockerfile
	}
	if len(t.Platforms) == 0 && platform != "" {
		c.Platforms = []string{platform}
	}
	c.Contexts = maps.Clone(t.Contexts)
	for name, x := range c.Contexts {
		if x.Dir != "" {
			x.Dir = rel(x.Dir)
		}
		if x.OCILayout != "" {
			x.OCILayout = rel(x.OCILayout)
		}
		c.Contexts[name] = x
	}
	c.Secrets = nil
	for _, s := range t.Secrets {
		c.Secrets = append(c.Secrets, Secret{ID: s.ID})
	}
	c.SSH = nil
	for _, s := range t.SSH {
		c.SSH = append(c.SSH, SSH{ID: s.ID})
	}
	// Caches, cache switches and pull change how the image is made, not which one is asked for.
	c.CacheFrom, c.CacheTo, c.NoCache, c.NoCacheFilter, c.Pull = nil, nil, false, nil, false
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings, numbers and maps of them: cannot happen
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Dirs are the local directories that the targets read, sorted, each once.
func Dirs(targets []Target) []string {
	var dirs []string
	for _, t := range targets {
		if t.Context.Dir != "" {
			dirs = append(dirs, t.Context.Dir)
		}
		if dir, _ := t.dockerfileDir(); dir != "" {
			dirs = append(dirs, dir)
		}
		for _, c := range t.Contexts {
			if c.Dir != "" {
				dirs = append(dirs, c.Dir)
			}
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// dockerfileDir splits a local Dockerfile's path as the engine reads it; empty for a
// remote or an inline one.
func (t Target) dockerfileDir() (dir, file string) {
	if t.Context.Dir == "" || t.Dockerfile == "" {
		return "", ""
	}
	return filepath.Dir(t.Dockerfile), filepath.Base(t.Dockerfile)
}

// Tree is the local directory as the engine sees it, without the files that Slipway
// itself writes: with them in a context, each build would change the next one's digest.
func Tree(dir string, own []string) (fsutil.FS, error) {
	tree, err := newDirectory(dir, false)
	if err != nil {
		return nil, err
	}
	return filtered(tree, ownPatterns(dir, own))
}

// ContextTree is Tree without what the .dockerignore that goes with the Dockerfile
// excludes: what a build can depend on.
func ContextTree(t Target, own []string) (fsutil.FS, error) {
	patterns, err := t.ignored()
	if err != nil {
		return nil, err
	}
	return inputTree(t.Context.Dir, append(patterns, ownPatterns(t.Context.Dir, own)...))
}

// additionalTree is the same for an additional context, of which BuildKit reads the
// .dockerignore as well.
func additionalTree(dir string, own []string) (fsutil.FS, error) {
	patterns, err := firstIgnoreFile(filepath.Join(dir, dockerignore))
	if err != nil {
		return nil, err
	}
	return inputTree(dir, append(patterns, ownPatterns(dir, own)...))
}

// inputTree is a directory to be hashed. Files that cannot be read are not an error.
func inputTree(dir string, exclude []string) (fsutil.FS, error) {
	tree, err := newDirectory(dir, true)
	if err != nil {
		return nil, err
	}
	walk, err := filtered(tree, exclude)
	return unfiltered{walk, tree}, err
}

func filtered(tree fsutil.FS, exclude []string) (fsutil.FS, error) {
	return fsutil.NewFilterFS(tree, &fsutil.FilterOpt{ExcludePatterns: exclude, Map: ownedByRoot})
}

// ownedByRoot makes every file root's, as all BuildKit clients do: who checked the files
// out must not change the image, and the owner's number may mean nobody at the engine.
func ownedByRoot(_ string, s *fstypes.Stat) fsutil.MapResult {
	s.Uid, s.Gid = 0, 0
	return fsutil.MapResultKeep
}

func ownPatterns(dir string, own []string) []string {
	var patterns []string
	for _, p := range own {
		if allow.Inside(dir, filepath.Dir(p)) {
			if rel, err := filepath.Rel(dir, p); err == nil {
				below, base := path.Split(filepath.ToSlash(rel))
				// A killed process leaves the temporary file (artifact.WriteFile).
				patterns = append(patterns, literal(below+base), literal(below+"."+base+".")+"*.tmp")
			}
		}
	}
	return patterns
}

// literal is a pattern of .dockerignore files that matches one path alone.
func literal(path string) string {
	return special.ReplaceAllString(path, `\$0`)
}

// special are the characters that patterns give a meaning.
var special = regexp.MustCompile(`[^A-Za-z0-9/_ -]`)

// ignored reads Dockerfile.dockerignore beside the Dockerfile, else the context's
// .dockerignore, as BuildKit does.
func (t Target) ignored() ([]string, error) {
	files := []string{filepath.Join(t.Context.Dir, dockerignore)}
	if t.Dockerfile != "" {
		files = append([]string{t.Dockerfile + dockerignore}, files...)
	}
	return firstIgnoreFile(files...)
}

const dockerignore = ".dockerignore"

// firstIgnoreFile reads the patterns of the first of the files that exists.
func firstIgnoreFile(files ...string) ([]string, error) {
	for _, path := range files {
		data, err := bounded.ReadFile(context.Background(), path, MaxIgnoreFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, compose.AsInput(err)
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(data))
		if err == nil {
			_, err = patternmatcher.New(patterns)
		}
		if err != nil {
			return nil, badInput(path, "correct the pattern", "%v", err)
		}
		return patterns, nil
	}
	return nil, nil
}

// dockerfileNames are the files that a Dockerfile's name can mean (checkDockerfile).
func dockerfileNames(file string) []string {
	names := []string{file, file + dockerignore}
	if file == defaultDockerfile {
		names = append(names, strings.ToLower(file))
	}
	return names
}

// dockerfileTree is a directory without everything but the files that a Dockerfile's name
// can mean.
func dockerfileTree(dir, file string) (fsutil.FS, error) {
	tree, err := newDirectory(dir, true)
	if err != nil {
		return nil, err
	}
	var patterns []string
	for _, name := range dockerfileNames(file) {
		patterns = append(patterns, literal(name))
	}
	return fsutil.NewFilterFS(tree, &fsutil.FilterOpt{IncludePatterns: patterns})
}

// Root is one part of what a build depends on: a tree of files under a label.
type Root struct {
	Label string
	FS    fsutil.FS
}

// Roots are the local trees that the targets' images can depend on, .dockerignore
// respected, and the settings, for a hash of the content.
func Roots(ctx context.Context, root string, targets []Target, own []string) ([]Root, error) {
	var roots []Root
	for _, t := range targets {
		if t.Context.Dir != "" {
			tree, err := ContextTree(t, own)
			if err != nil {
				return nil, err
			}
			roots = append(roots, Root{t.Service + " context", tree})
		}
		if dir, file := t.dockerfileDir(); dir != "" {
			one, err := dockerfileTree(dir, file)
			if err != nil {
				return nil, err
			}
			roots = append(roots, Root{t.Service + " dockerfile", one})
		}
		for _, name := range slices.Sorted(maps.Keys(t.Contexts)) {
			if c := t.Contexts[name]; c.Dir != "" {
				tree, err := additionalTree(c.Dir, own)
				if err != nil {
					return nil, err
				}
				roots = append(roots, Root{t.Service + " context " + name, tree})
			}
		}
		settings := staticfs.NewFS()
		settings.Add("settings", &fstypes.Stat{Mode: 0o644}, []byte(t.Inputs(root, "")))
		roots = append(roots, Root{t.Service + " settings", settings})
	}
	return roots, ctx.Err()
}
