package revision

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway/internal/fault"
	"slipway/internal/tagname"
	"slipway/internal/trust"
)

// MaxName is the longest hash, in characters. The OCI distribution
// specification ends a tag at 128; the rest is kept for Variant's number.
const MaxName = 128 - len(".9999999")

const maxVariant = 9_999_999

// legalTag is the tag grammar of the OCI distribution specification, without
// its length.
var legalTag = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]*$`)

var protected = []string{"latest", "deployed"}

// cachePrefix begins the tags of layer caches, one for each platform.
const cachePrefix = "buildcache"

// NameError says why a name cannot be the hash of a build, and what to do.
type NameError struct {
	Name   string
	Reason string
	Remedy string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("hash %q %s: %s", shorten(e.Name), e.Reason, e.Remedy)
}

// Kind returns fault.Usage.
func (e *NameError) Kind() fault.Kind { return fault.Usage }

// shorten keeps a hopelessly long name from filling the log.
func shorten(name string) string {
	const most = 140
	if len(name) <= most {
		return name
	}
	return name[:most] + "…"
}

// Validate returns a *NameError unless name can be the hash of a build: a
// legal tag of at most MaxName characters, none of the tags that Slipway moves
// (latest, deployed, and those that begin with buildcache), not a name of an
// untrusted build (see Untrusted), and not what Variant makes of another name.
func Validate(name string) error {
	switch {
	case name == "":
		return &NameError{name, "is empty", "leave it out to have one found, or give a name such as the commit id"}
	case !legalTag.MatchString(name):
		return &NameError{name, "is not a valid image tag", "use letters, digits, '_', '.' and '-', with neither '.' nor '-' first"}
	case len(name) > MaxName:
		return &NameError{name, fmt.Sprintf("has %d characters", len(name)), fmt.Sprintf("use at most %d", MaxName)}
	case slices.Contains(protected, name), strings.HasPrefix(name, cachePrefix):
		return &NameError{name, "is a tag that moves", "choose a name that stays with one build, such as the commit id"}
	case tagname.Kept(name):
		return &NameError{name, "begins like the tags that slipway keeps for itself (" + strings.Join(tagname.Prefixes(), ", ") + ")", "choose another name, such as the commit id"}
	}
	if trust.Reserved(name) {
		return &NameError{name, "begins as only the names of untrusted builds do", reservedRemedy}
	}
	if base, n := ParseVariant(name); n > 1 {
		return &NameError{name, fmt.Sprintf("would be variant %d of %q", n, base), fmt.Sprintf("write %q", strings.ReplaceAll(name, ".", "-"))}
	}
	return nil
}

// Variant returns the name of the nth build of one hash that came out with
// other digests: name itself for the first, then name.2, name.3 and so on, up
// to 9999999.
func Variant(name string, n int) string {
	if n < 2 {
		return name
	}
	return name + "." + strconv.Itoa(n)
}

// ParseVariant is the reverse of Variant. A tag without a variant's number is
// its own name, and number 1; that number has no leading zero and is at least
// 2, so that every tag is read in one way only.
func ParseVariant(s string) (name string, n int) {
	dot := strings.LastIndexByte(s, '.')
	if dot < 1 {
		return s, 1
	}
	n, err := strconv.Atoi(s[dot+1:])
	if err != nil || n < 2 || n > maxVariant || strconv.Itoa(n) != s[dot+1:] {
		return s, 1
	}
	return s[:dot], n
}
