package safegit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"slipway/internal/bounded"
)

// maxInfo bounds the small files of a repository, in bytes: exclude, attributes,
// sparse-checkout, .git, commondir.
const maxInfo = 1 << 20

// Repository is a work tree with its commit, index and objects. Close it.
type Repository struct {
	// Top is the top of the work tree, links resolved.
	Top string
	// Head is the full id of HEAD's commit; empty in a repository without one.
	Head string

	dir string // the repository directory that stands in for .git
	env []string
}

// Open finds the repository that holds dir. The error is ErrNoRepository, ErrNoBinary, an
// *Error, a *bounded.Error or what ended ctx. It writes a few small files to the system's
// temporary directory.
func Open(ctx context.Context, dir string) (*Repository, error) {
	f, err := find(ctx, dir)
	if err != nil {
		return nil, err
	}
	settings, err := readSettings(ctx, f.top)
	if err != nil {
		return nil, err
	}
	if f.format != "sha1" {
		settings = append(settings, setting{"extensions.objectformat", f.format})
	}
	r, err := substitute(f.top, settings)
	if err != nil {
		return nil, err
	}
	r.Head = f.head
	if err := r.fill(ctx, f); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.env = append(r.env, "GIT_INDEX_FILE="+filepath.Join(f.dir, "index"),
		"GIT_OBJECT_DIRECTORY="+filepath.Join(f.common, "objects"))
	return r, nil
}

// Empty returns a repository without a commit or an index whose work tree is top, so
// that .gitignore files hold where there is no repository.
func Empty(ctx context.Context, top string) (*Repository, error) {
	settings, err := readSettings(ctx, os.TempDir())
	if err != nil {
		return nil, err
	}
	return substitute(top, settings)
}

// substitute makes the repository directory that commands run with.
func substitute(top string, settings []setting) (*Repository, error) {
	dir, err := os.MkdirTemp("", "slipway-git-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary directory (TMPDIR says where): %w", err)
	}
	r := &Repository{Top: top, dir: dir}
	err = errors.Join(os.Mkdir(filepath.Join(dir, "refs"), 0o700), os.Mkdir(filepath.Join(dir, "objects"), 0o700),
		os.Mkdir(filepath.Join(dir, "info"), 0o700),
		os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/none\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "config"), configuration(settings), 0o600))
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.env = append(withoutHome(environment(os.Environ(), false)),
		"GIT_DIR="+dir, "GIT_WORK_TREE="+top, "HOME="+dir, "XDG_CONFIG_HOME="+dir,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
	return r, nil
}

func withoutHome(env []string) []string {
	return slices.DeleteFunc(env, func(line string) bool {
		return strings.HasPrefix(line, "HOME=") || strings.HasPrefix(line, "XDG_CONFIG_HOME=")
	})
}

// fill copies the files of the repository that say which files count, and where
// the history of a shallow clone ends.
func (r *Repository) fill(ctx context.Context, f *found) error {
	if f.head != "" {
		if err := os.WriteFile(filepath.Join(r.dir, "HEAD"), []byte(f.head+"\n"), 0o600); err != nil {
			return err
		}
	}
	for from, to := range map[string]string{
		filepath.Join(f.common, "info", "exclude"): "info", filepath.Join(f.common, "info", "attributes"): "info",
		filepath.Join(f.dir, "info", "sparse-checkout"): "info", filepath.Join(f.common, "shallow"): "",
	} {
		data, err := bounded.ReadFile(ctx, from, maxInfo)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(r.dir, to, filepath.Base(from)), data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return r.linkSharedIndex(f.dir)
}

// linkSharedIndex makes the other half of a split index (git-update-index(1)) reachable.
func (r *Repository) linkSharedIndex(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "sharedindex.") {
			if err := os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(r.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// setting is one line of git's configuration.
type setting struct{ key, value string }

// comparing are the settings that say how a file is compared with the index. They run
// nothing and lead nowhere, so that the project may choose them.
var comparing = []string{
	"core.filemode", "core.symlinks", "core.ignorecase", "core.precomposeunicode", "core.autocrlf", "core.eol",
	"core.trustctime", "core.checkstat", "core.sparsecheckout", "core.sparsecheckoutcone", "core.protecthfs", "core.protectntfs",
}

// lists are the operator's files of patterns, and their default names below git's
// directory of the user's settings (gitignore(5), gitattributes(5)).
var lists = map[string]string{"core.excludesfile": "ignore", "core.attributesfile": "attributes"}

// plainValue is all that a setting of comparing can say.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9]{1,16}$`)

// readSettings takes from the configuration what may hold, for the directory dir. Paths
// count only where the operator wrote them.
func readSettings(ctx context.Context, dir string) ([]setting, error) {
	env := environment(os.Environ(), true)
	out, err := run(ctx, dir, env, nil, append(slices.Clone(noPrograms), "config", "--list", "-z", "--show-scope")...)
	if err != nil {
		return nil, err
	}
	paths := map[string]string{}
	var settings []setting
	fields := bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0})
	for i := 0; i+1 < len(fields); i += 2 {
		scope := string(fields[i])
		key, value, given := strings.Cut(string(fields[i+1]), "\n")
		if !given {
			value = "true"
		}
		_, isPath := lists[key]
		switch {
		case slices.Contains(comparing, key) && plainValue.MatchString(value):
			settings = append(settings, setting{key, value})
		case isPath && scope != "local" && scope != "worktree":
			paths[key] = value
		}
	}
	for key, name := range lists {
		if path := userFile(paths[key], name); path != "" {
			settings = append(settings, setting{key, path})
		}
	}
	return settings, nil
}

// userFile is a file of the operator: as named, or by its default name.
func userFile(path, name string) string {
	home := os.Getenv("HOME")
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(home, rest)
	}
	if path != "" {
		return path
	}
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "git", name)
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".config", "git", name)
}

// configuration is the whole configuration of a substitute.
func configuration(settings []setting) []byte {
	var b bytes.Buffer
	b.WriteString("[core]\n\trepositoryformatversion = 1\n\tbare = false\n\tfsmonitor = false\n\thooksPath = /dev/null\n\tuntrackedCache = false\n")
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	for _, s := range settings {
		section, key, _ := strings.Cut(s.key, ".")
		fmt.Fprintf(&b, "[%s]\n\t%s = \"%s\"\n", section, key, quote.Replace(s.value))
	}
	return b.Bytes()
}
