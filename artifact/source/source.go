// Package source packs a source directory into an archive for the S3 source of
// a pipeline, uploads it if its content changed, and follows the execution that
// CodePipeline starts from it.
package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/internal/fault"
)

// Options select the files of a directory that are sent.
type Options struct {
	// Dir is the directory. A link to a directory is followed.
	Dir string
	// RespectIgnore leaves out the files that .dockerignore and .gitignore files
	// name. Each .dockerignore applies below its own directory. The files that a
	// build starts from (Dockerfiles, compose files, buildspecs, .dockerignore) stay,
	// as long as their directory does. git itself decides which files it ignores, so
	// a tracked file stays.
	RespectIgnore bool
	// AllowSecrets lets files through that look like secrets.
	AllowSecrets bool
	// SecretFiles are the absolute paths of files with the values of secrets, by the
	// names of the secrets.
	SecretFiles map[string]string
}

// Source is the part of a directory that will be sent, read but not packed.
type Source struct {
	// Dir is the directory, links followed.
	Dir string
	// Entries are its directories, files and links by name, without .git.
	Entries []Entry
	// Secrets are the entries that look like secrets; empty without AllowSecrets.
	Secrets []Secret
	// LeftOut counts the files and directories that an ignore file names; a directory
	// counts once.
	LeftOut int
	// Special are the sockets, named pipes and devices, which are left out: a zip file has
	// none, and the build of a commit has none either.
	Special []Problem
}

// Files counts the files and links.
func (s *Source) Files() int {
	n := 0
	for _, e := range s.Entries {
		if !e.Mode.IsDir() {
			n++
		}
	}
	return n
}

// Entry is one directory, file or symbolic link.
type Entry struct {
	// Name is relative to the directory and has slashes, none at the end.
	Name string
	// Mode holds the type and the permissions.
	Mode fs.FileMode
	// Size is in bytes, 0 for a directory or a link.
	Size int64
}

// Problem is an entry that cannot be sent, and the reason.
type Problem struct{ Name, Reason string }

// Error lists all problems of a directory that prevent sending it.
type Error struct {
	Dir      string
	Problems []Problem
	// Cause is the kind of problem, where ignore files matter to its remedy.
	Cause  Cause
	remedy string
}

// Cause is a kind of problem.
type Cause int

// The causes.
const (
	// Other is a problem that has nothing to do with ignore files.
	Other Cause = iota
	// Unsendable: some files cannot be sent.
	Unsendable
	// TooMuch: the directory has too many files, or its archive is too large.
	TooMuch
	// NoGit: git is not installed, and a .gitignore needs it.
	NoGit
	// GitFailed: git could not list the ignored files.
	GitFailed
)

func (e *Error) Error() string {
	const most = 20
	var b strings.Builder
	fmt.Fprintf(&b, "%q cannot be sent: ", e.Dir)
	for i, p := range e.Problems[:min(most, len(e.Problems))] {
		if i > 0 {
			b.WriteString("; ")
		}
		if p.Name != "" {
			fmt.Fprintf(&b, "%q: ", p.Name)
		}
		b.WriteString(p.Reason)
	}
	if more := len(e.Problems) - most; more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

// Kind returns fault.Usage.
func (e *Error) Kind() fault.Kind { return fault.Usage }

// Hint says how to correct a problem whose cause is Other.
func (e *Error) Hint() string { return e.remedy }

func badSource(dir, remedy, format string, args ...any) *Error {
	return &Error{Dir: dir, Problems: []Problem{{"", fmt.Sprintf(format, args...)}}, remedy: remedy}
}

func causedBy(cause Cause, dir, format string, args ...any) *Error {
	return &Error{Dir: dir, Problems: []Problem{{"", fmt.Sprintf(format, args...)}}, Cause: cause}
}

// Limits of a zip without its 64-bit extensions, from sections 4.3.16 and 4.4 of
// PKWARE's APPNOTE. Not every program that unpacks sources knows the extensions.
const (
	maxEntries   = 1<<16 - 1
	maxEntrySize = 1<<32 - 1
)

// Read finds the files of a directory that will be sent, and searches them
// for secrets. It writes nothing. The error is a *Error, a *SecretsError, or
// that of ctx.
func Read(ctx context.Context, o Options) (*Source, error) {
	dir, err := sourceDir(o.Dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, badSource(o.Dir, "name a directory that may be read", "%v", cause(err))
	}
	defer root.Close()
	return readTree(ctx, dir, root.FS(), o)
}

func sourceDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", badSource(dir, "name the directory by an absolute path", "%v", err)
	}
	abs, err = filepath.EvalSymlinks(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return "", badSource(dir, "name the directory to send", "there is no such directory")
	}
	if err != nil {
		return "", badSource(dir, "name a directory that may be read", "%v", cause(err))
	}
	info, err := os.Stat(abs)
	if err != nil {
		return "", badSource(dir, "name a directory that may be read", "%v", cause(err))
	}
	if !info.IsDir() {
		return "", badSource(dir, "name the directory that contains it", "it is not a directory")
	}
	return abs, nil
}

// readTree is Read on an open directory.
func readTree(ctx context.Context, dir string, tree fs.FS, o Options) (*Source, error) {
	w := &walker{ctx: ctx, dir: dir, tree: tree, respect: o.RespectIgnore, source: &Source{Dir: dir}}
	if err := w.run(); err != nil {
		return nil, err
	}
	s := w.source
	slices.SortFunc(s.Entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	found, err := findSecrets(ctx, tree, s.Entries)
	if err != nil {
		return nil, err
	}
	s.Entries = slices.DeleteFunc(s.Entries, func(e Entry) bool { return found.gone[e.Name] })
	secrets, unreadable := named(found.secrets, dir, s.Entries, o.SecretFiles), found.problems
	if problems := slices.Concat(w.problems, unreadable); len(problems) > 0 {
		slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Name, b.Name) })
		return nil, &Error{Dir: dir, Problems: problems, Cause: Unsendable}
	}
	if n := len(s.Entries); n > maxEntries {
		return nil, causedBy(TooMuch, dir, "%d files and directories are more than the %d that a zip file can hold", n, maxEntries)
	}
	if s.Files() == 0 {
		return nil, badSource(dir, "name the directory that holds the project", "there is no file to send")
	}
	if len(secrets) > 0 && !o.AllowSecrets {
		return nil, &SecretsError{dir, secrets}
	}
	s.Secrets = secrets
	return s, nil
}

// cause returns an error without the path, which is printed next to it.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
