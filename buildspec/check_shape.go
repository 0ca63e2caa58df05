package buildspec

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// shapeRules check the keys that CodeBuild itself reads.
var shapeRules = []rule{
	{
		name: "version", severity: Breaks,
		problem: "the version is not 0.2: in 0.1 each command has a shell of its own, so that variables and cd are lost, and others CodeBuild refuses",
		remedy:  "write version: 0.2",
		find: func(s *spec) []int {
			if s.version == nil {
				return []int{1}
			}
			if s.version.Value != "0.2" {
				return []int{s.version.Line}
			}
			return nil
		},
	},
	{
		name: "no-commands", severity: Breaks,
		problem: "no phase has a command",
		remedy:  "`slipway buildspec` prints a whole buildspec",
		find: func(s *spec) []int {
			if len(s.commands) == 0 && len(s.faults) == 0 {
				return []int{1}
			}
			return nil
		},
	},
	{
		name: "unknown-key", severity: Breaks,
		problem: "CodeBuild knows no such key at the top of the file",
		remedy:  "the keys are " + strings.Join(topKeys, ", "),
		find: func(s *spec) []int {
			var out []int
			for _, p := range pairs(s.top) {
				// Keys such as x-defaults hold anchors.
				if !slices.Contains(topKeys, p.key) && !strings.HasPrefix(p.key, "x-") {
					out = append(out, p.line)
				}
			}
			return out
		},
	},
	{
		name: "runtime", severity: Breaks,
		problem: "the current build images have no such runtime: the job ends in the install phase",
		remedy:  "leave runtime-versions out: slipway needs none, and docker comes with the image",
		find:    unsupportedRuntimes,
	},
	{
		name: "privileged", severity: Note,
		problem: "images are built here, which needs the CodeBuild project in privileged mode; the file does not say so",
		remedy:  "switch privileged mode on in the project's environment, and say so in a comment",
		find: func(s *spec) []int {
			if strings.Contains(strings.ToLower(s.comments), "privileged") {
				return nil
			}
			return first(s.matching(dockerBuild, slipwayBuild))
		},
	},
}

// topKeys are those of "Build specification reference for CodeBuild".
var topKeys = []string{"version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"}

// oldest are the oldest versions of the current standard images, Ubuntu 7.0 and
// Amazon Linux 2023 5.0 ("Available runtimes" in the CodeBuild user guide).
var oldest = map[string][2]int{"nodejs": {18, 0}, "python": {3, 9}, "ruby": {3, 1}, "golang": {1, 20}, "php": {8, 1}, "dotnet": {6, 0}}

var versionNumber = regexp.MustCompile(`^([0-9]+)(?:\.([0-9]+))?`)

func unsupportedRuntimes(s *spec) []int {
	var out []int
	for _, r := range s.runtimes {
		limit, known := oldest[r.key]
		m := versionNumber.FindStringSubmatch(r.value.Value)
		switch {
		case r.key == "docker":
			out = append(out, r.line)
		case known && m != nil:
			major, _ := strconv.Atoi(m[1])
			minor, err := strconv.Atoi(m[2])
			if major < limit[0] || major == limit[0] && err == nil && minor < limit[1] {
				out = append(out, r.line)
			}
		}
	}
	return out
}

// matching returns the lines of commands that match one of the expressions.
func (s *spec) matching(exprs ...*regexp.Regexp) []int {
	var out []int
	for _, c := range s.commands {
		if matches(c, exprs...) {
			out = append(out, c.line)
		}
	}
	return out
}

func matches(c command, exprs ...*regexp.Regexp) bool {
	return slices.ContainsFunc(exprs, func(e *regexp.Regexp) bool { return e.MatchString(c.text) })
}

func first(lines []int) []int { return lines[:min(1, len(lines))] }
