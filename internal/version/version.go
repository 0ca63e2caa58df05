// Package version names a build of Slipway.
package version

import (
	"cmp"
	"runtime/debug"
	"strings"

	"golang.org/x/mod/module"
)

// Of returns the version of the program that has the build information:
//
//   - the tag of the commit that it was built from, as in v1.2.3, with "+dirty"
//     behind it if the work tree had changes;
//   - without a tag, "devel", the first 12 digits of the commit, and "-dirty";
//   - "(devel)" if the build has no commit either, "(unknown)" if info is nil.
//
// Tag and commit are those that the go command records, both in a work tree and
// for `go install MODULE@VERSION` (go.dev/ref/mod#pseudo-versions).
func Of(info *debug.BuildInfo) string {
	if info == nil {
		return "(unknown)"
	}
	v := info.Main.Version
	if v != "" && v != "(devel)" && !module.IsPseudoVersion(v) {
		return v
	}
	if commit := cmp.Or(vcsCommit(info), pseudoCommit(v)); commit != "" {
		return "devel " + commit
	}
	return "(devel)"
}

// vcsCommit returns the commit that the go command found in the work tree.
func vcsCommit(info *debug.BuildInfo) string {
	commit := Setting(info, "vcs.revision")
	if commit == "" {
		return ""
	}
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if Setting(info, "vcs.modified") == "true" {
		commit += "-dirty"
	}
	return commit
}

// pseudoCommit returns the commit in a pseudo-version, or "" in anything else.
func pseudoCommit(v string) string {
	commit, err := module.PseudoVersionRev(v)
	if err != nil {
		return ""
	}
	if strings.HasSuffix(v, "+dirty") {
		commit += "-dirty"
	}
	return commit
}

// Setting returns the value of a build setting, or "" if the build has none.
func Setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
