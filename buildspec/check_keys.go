package buildspec

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The keys below those at the top. Source: "Build specification reference for CodeBuild",
// buildspec syntax. Below other keys, the names are the user's.
var (
	envKeys       = []string{"shell", "variables", "parameter-store", "exported-variables", "secrets-manager", "git-credential-helper"}
	phaseKeys     = []string{"run-as", "on-failure", "runtime-versions", "commands", "finally"}
	artifactKeys  = []string{"files", "name", "discard-paths", "base-directory", "exclude-paths", "enable-symlinks", "s3-prefix", "secondary-artifacts"}
	cacheKeys     = []string{"key", "fallback-keys", "action", "paths"}
	knownSections = map[string][]string{"env": envKeys, "artifacts": artifactKeys, "cache": cacheKeys}
)

// unknownBelow finds misspelt keys in the sections of a file. CodeBuild refuses or
// ignores them.
func unknownBelow(top *yaml.Node) []Finding {
	var out []Finding
	look := func(where string, section *yaml.Node, known []string) {
		for _, p := range pairs(section) {
			if !slices.Contains(known, p.key) && !strings.HasPrefix(p.key, "x-") {
				out = append(out, Finding{[]int{p.line}, Breaks, "unknown-key", "CodeBuild knows no key " + p.key + " below " + where, "the keys there are " + strings.Join(known, ", ")})
			}
		}
	}
	for section, known := range knownSections {
		look(section, at(top, section), known)
	}
	for _, p := range pairs(at(top, "phases")) {
		if slices.Contains(phases, p.key) {
			look("phases."+p.key, p.value, phaseKeys)
		}
	}
	return out
}
