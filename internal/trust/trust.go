// Package trust names what an untrusted build writes. Builds of pull requests
// have names of their own, so that a trusted build distinguishes them from its own
// by the name alone and never reuses, deploys or reads one.
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
// request writes, such as pr12-. A number of 0 stands for no pull request.
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
