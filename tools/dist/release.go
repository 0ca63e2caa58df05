package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"slipway/internal/version"
)

// slipway is the program that gives a release its name.
const slipway = "slipway"

// contents has the programs of a release by operating system, sorted.
// docs/engines.md names the programs that a managed engine needs next to
// buildkitd.
var contents = map[string][]string{
	"linux": {
		"buildkit-cni-bridge", "buildkit-cni-host-local", "buildkit-cni-loopback",
		"buildkit-runc", "buildkitd", "runc", slipway,
	},
	"darwin": {slipway},
}

// program is a Go program in a file.
type program struct {
	name string
	path string
	info *debug.BuildInfo
}

func (p program) setting(key string) string { return version.Setting(p.info, key) }

// platform returns the operating system and the processor, as in linux-arm64.
func (p program) platform() string { return p.setting("GOOS") + "-" + p.setting("GOARCH") }

// release is the programs of one platform.
type release struct {
	version  string
	platform string
	// made is the time of the commit, which every file in the tarball has.
	made     time.Time
	programs []program
}

// name returns the name of the release's files, without an extension.
func (r release) name() string {
	return "slipway-" + strings.ReplaceAll(r.version, " ", "-") + "-" + r.platform
}

// readReleases reads the programs in directories, one for each platform.
func readReleases(dirs []string) ([]release, error) {
	if len(dirs) == 0 {
		return nil, errors.New("no directories with programs")
	}
	var releases []release
	for _, dir := range dirs {
		programs, err := readPrograms(dir)
		if err != nil {
			return nil, err
		}
		r, err := newRelease(programs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		releases = append(releases, r)
		if first := releases[0].version; r.version != first {
			return nil, fmt.Errorf("%s: slipway is %s, in %s it is %s", dir, r.version, dirs[0], first)
		}
	}
	return releases, nil
}

// readPrograms reads the build information of every file in a directory.
func readPrograms(dir string) ([]program, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, err
	}
	var programs []program
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return nil, err
		}
		programs = append(programs, program{e.Name(), path, info})
	}
	return programs, nil
}

// newRelease checks that the programs are those of one release: all that the
// platform needs, for the same platform, and without paths of the machine that
// built them.
func newRelease(programs []program) (release, error) {
	i := slices.IndexFunc(programs, func(p program) bool { return p.name == slipway })
	if i < 0 {
		return release{}, errors.New("there is no slipway")
	}
	own := programs[i]
	r := release{version: version.Of(own.info), platform: own.platform(), programs: programs}
	var names []string
	for _, p := range programs {
		if p.platform() != r.platform {
			return release{}, fmt.Errorf("%s is for %s, slipway for %s", p.name, p.platform(), r.platform)
		}
		if p.setting("-trimpath") != "true" {
			return release{}, fmt.Errorf("%s was built without -trimpath", p.name)
		}
		names = append(names, p.name)
	}
	if want := contents[own.setting("GOOS")]; !slices.Equal(names, want) {
		return release{}, fmt.Errorf("the programs are %q, want %q", names, want)
	}
	var err error
	if r.made, err = time.Parse(time.RFC3339, own.setting("vcs.time")); err != nil {
		return release{}, errors.New("slipway does not record its commit: build it in a clone, not in a git worktree or a copy")
	}
	return r, nil
}
