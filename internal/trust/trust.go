// Package trust has the names of revisions that untrusted builds make. Builds of
// pull requests have separate names, so that a trusted build recognizes them by the
// name alone and never reuses, deploys or reads one.
package trust

import (
	"regexp"
	"strconv"
)

// unnumbered begins the names of untrusted builds that belong to no pull
// request.
const unnumbered = "untrusted-"

var reserved = regexp.MustCompile(`^(?:pr[0-9]+-|` + unnumbered + `)`)

// Prefix returns the beginning of the names that an untrusted build of a pull
// request writes, such as pr12-. The number 0 means without a pull request.
func Prefix(number int) string {
	if number < 1 {
		return unnumbered
	}
	return "pr" + strconv.Itoa(number) + "-"
}

// Reserved reports whether a revision's name is one that only an untrusted
// build may use: it begins with pr and a number, or with untrusted, and a
// hyphen.
func Reserved(name string) bool { return reserved.MatchString(name) }
