package target

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/util/staticfs"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"

	"slipway/build/localfs"
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

// dockerignore ends the names of the files that exclude others from a context.
const dockerignore = ".dockerignore"

// ignoreFiles returns the paths of Dockerfile.dockerignore next to the Dockerfile
// and of the context's .dockerignore: BuildKit reads the first that exists.
func (t Target) ignoreFiles() []string {
	files := []string{filepath.Join(t.Context.Dir, dockerignore)}
	if t.Dockerfile != "" {
		files = append([]string{t.Dockerfile + dockerignore}, files...)
	}
	return files
}

// dockerfileNames are the files that a Dockerfile's name can mean (checkDockerfile).
func dockerfileNames(file string) []string {
	names := []string{file, file + dockerignore}
	if file == defaultDockerfile {
		names = append(names, strings.ToLower(file))
	}
	return names
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
			tree, err := localfs.Included(t.Context.Dir, t.ignoreFiles(), own)
			if err != nil {
				return nil, err
			}
			roots = append(roots, Root{t.Service + " context", tree})
		}
		if dir, file := t.dockerfileDir(); dir != "" {
			one, err := localfs.Only(dir, dockerfileNames(file))
			if err != nil {
				return nil, err
			}
			roots = append(roots, Root{t.Service + " dockerfile", one})
		}
		for _, name := range slices.Sorted(maps.Keys(t.Contexts)) {
			if c := t.Contexts[name]; c.Dir != "" {
				tree, err := localfs.Included(c.Dir, []string{filepath.Join(c.Dir, dockerignore)}, own)
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
