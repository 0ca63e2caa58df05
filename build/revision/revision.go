// Package revision finds the hash of a build: the one tag that names the
// images of all services made from the same source. It asks the command line,
// CodeBuild's variables, git and the build inputs, in this order.
package revision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Source says where a hash was taken from.
type Source string

// The sources, in the order they are asked.
const (
	Flag            Source = "flag"                     // named by the user
	CodeBuildCommit Source = "codebuild commit"         // git id in CODEBUILD_RESOLVED_SOURCE_VERSION
	CodeBuildSource Source = "codebuild source version" // any other version CodeBuild names
	Git             Source = "git"                      // HEAD of a clean work tree
	GitDirty        Source = "git dirty"                // HEAD and what differs from it
	Content         Source = "content"                  // the build inputs themselves
)

// Hash names one build of the whole project.
type Hash struct {
	Name   string // a tag that Validate accepts
	Source Source
	Detail string // what Name was taken from, as a phrase for the log
}

// Inputs are the places a hash can come from. Empty fields are passed over.
type Inputs struct {
	Flag                  string // the user's own choice
	ResolvedSourceVersion string // CODEBUILD_RESOLVED_SOURCE_VERSION
	ObjectVersion         string // CODEBUILD_SOURCE_VERSION where it is an S3 object version
	Dir                   string // the directory git is asked in; empty: git is not asked

	// Ignore lists absolute paths that Slipway writes. They never make a work
	// tree dirty, nor does a temporary file that a killed run left next to one:
	// "." + its base name + ".*.tmp".
	Ignore []string

	// Content answers the build inputs' sha256 in hex. It is asked last.
	Content func(ctx context.Context) (string, error)
}

const (
	nameDigits  = 12 // of a commit id or checksum
	dirtyDigits = 8  // of the changes' checksum
)

var (
	gitID  = regexp.MustCompile(`^(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)
	sumHex = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ErrNoSource is the error of Of when none of the Inputs names the build.
var ErrNoSource = errors.New("nothing names this build: no CodeBuild source version, no git commit, no build inputs")

// Of returns the hash of the first input that has one. The name is never
// empty and Validate accepts it; if a source's name does not pass, the error
// is a *NameError. A git that fails for another reason than "no git here" is
// a *GitError. ErrNoSource: no input has a name.
func Of(ctx context.Context, in Inputs) (Hash, error) {
	h, err := first(ctx, in)
	if err != nil {
		return Hash{}, err
	}
	if err := Validate(h.Name); err != nil {
		return Hash{}, fmt.Errorf("taking the hash from %s: %w", h.Source, err)
	}
	return h, nil
}

func first(ctx context.Context, in Inputs) (Hash, error) {
	if in.Flag != "" {
		return Hash{in.Flag, Flag, "chosen by the user"}, nil
	}
	if v := strings.TrimSpace(in.ResolvedSourceVersion); v != "" {
		return fromResolved(v), nil
	}
	if v := strings.TrimSpace(in.ObjectVersion); v != "" {
		return Hash{digest(v), CodeBuildSource, fmt.Sprintf("sha256 of the S3 object version %q in CODEBUILD_SOURCE_VERSION", v)}, nil
	}
	why := errNotAsked
	if in.Dir != "" {
		h, err := fromGit(ctx, in.Dir, in.Ignore)
		if !errors.As(err, &why) {
			return h, err
		}
	}
	return fromContent(ctx, in.Content, why)
}

func fromResolved(v string) Hash {
	if gitID.MatchString(v) {
		id := strings.ToLower(v)
		return Hash{id[:nameDigits], CodeBuildCommit, "commit " + id + " in CODEBUILD_RESOLVED_SOURCE_VERSION"}
	}
	return Hash{digest(v), CodeBuildSource, fmt.Sprintf("sha256 of %q in CODEBUILD_RESOLVED_SOURCE_VERSION", v)}
}

func fromContent(ctx context.Context, content func(context.Context) (string, error), why noGit) (Hash, error) {
	if content == nil {
		return Hash{}, fmt.Errorf("%w (%w)", ErrNoSource, why)
	}
	sum, err := content(ctx)
	if err != nil {
		return Hash{}, fmt.Errorf("hashing the build inputs: %w", err)
	}
	if !sumHex.MatchString(sum) {
		return Hash{}, fmt.Errorf("hashing the build inputs: %q is not a sha256 in hex", sum)
	}
	return Hash{sum[:nameDigits], Content, "sha256 of the build inputs, as " + string(why)}, nil
}

// digest shortens any version to a tag. S3 object versions are opaque and hold
// characters a tag may not have.
func digest(version string) string {
	sum := sha256.Sum256([]byte(version))
	return hex.EncodeToString(sum[:])[:nameDigits]
}
