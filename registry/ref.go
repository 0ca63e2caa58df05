// Package registry finds and creates ECR repositories, logs in to them and
// applies their lifecycle policies. Package revisions below it reads and moves
// the tags of their images.
package registry

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"slipway/internal/awsname"
)

// ErrNotECR says that a reference names a registry that is not ECR, so that a
// caller reading `image:` can distinguish a base image from a repository of its
// own.
var ErrNotECR = errors.New("not an ECR registry")

// Ref names a repository before AWS was asked. Empty Account and Region mean
// the caller's own. It is comparable and serves as a map key.
type Ref struct {
	// Account is the registry's 12-digit AWS account id, or empty.
	Account string
	// Region is the registry's region, such as eu-west-1, or empty.
	Region string
	// Name is the repository's name within its registry.
	Name string
}

// String describes the repository for people. It is not a URI: only AWS knows a
// registry's host name.
func (r Ref) String() string {
	var where []string
	if r.Account != "" {
		where = append(where, "account "+r.Account)
	}
	if r.Region != "" {
		where = append(where, "region "+r.Region)
	}
	if len(where) == 0 {
		return r.Name
	}
	return r.Name + " (" + strings.Join(where, ", ") + ")"
}

// In returns the reference with an account and a region where it has none.
func (r Ref) In(account, region string) Ref {
	r.Account, r.Region = cmp.Or(r.Account, account), cmp.Or(r.Region, region)
	return r
}

// RegistryID returns the account as ECR's API takes it, nil for the caller's
// own.
func (r Ref) RegistryID() *string {
	if r.Account == "" {
		return nil
	}
	return &r.Account
}

// ParseRef reads a repository's plain name, its URI or its ARN. A loopback
// host stands for the caller's own registry. Errors say what is wrong with s;
// errors.Is(err, ErrNotECR) holds when s names another kind of registry. A
// tag or digest behind the repository is an error.
func ParseRef(s string) (Ref, error) {
	ref, err := parseRef(s)
	if err == nil {
		err = ValidateName(ref.Name)
	}
	if err != nil {
		return Ref{}, fmt.Errorf("repository %q: %w", s, err)
	}
	return ref, nil
}

func parseRef(s string) (Ref, error) {
	if strings.HasPrefix(s, "arn:") {
		return parseARN(s)
	}
	if strings.Contains(s, "://") {
		return Ref{}, errors.New("leave out the scheme before ://")
	}
	if suffix := imageSuffix(s); suffix != "" {
		return Ref{}, fmt.Errorf("names an image, leave out %q", suffix)
	}
	host, name, ok := strings.Cut(s, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return Ref{Name: s}, nil
	}
	if h, ok := namedHost(host); ok {
		return Ref{Account: h.Account, Region: h.Region, Name: name}, nil
	}
	if IsLoopback(host) {
		return Ref{Name: name}, nil
	}
	return Ref{}, fmt.Errorf("%w: %s (a repository of ECR whose name begins like a host is given by its ARN)", ErrNotECR, host)
}

func parseARN(s string) (Ref, error) {
	a, err := arn.Parse(s)
	if err != nil {
		return Ref{}, err
	}
	name, ok := strings.CutPrefix(a.Resource, "repository/")
	if a.Service != "ecr" || !ok {
		return Ref{}, fmt.Errorf("%w: want an ARN like arn:aws:ecr:REGION:ACCOUNT:repository/NAME", ErrNotECR)
	}
	if p, ok := awsname.PartitionOf(a.Region); !ok || p.ID != a.Partition || awsname.CheckAccount(a.AccountID) != nil {
		return Ref{}, errors.New("the ARN lacks a valid account id, or a region of its partition")
	}
	return Ref{Account: a.AccountID, Region: a.Region, Name: name}, nil
}

// imageSuffix returns the tag or digest behind a repository, with its mark.
func imageSuffix(s string) string {
	if i := strings.IndexByte(s, '@'); i >= 0 {
		return s[i:]
	}
	last := strings.LastIndexByte(s, '/') + 1
	if i := strings.IndexByte(s[last:], ':'); i >= 0 {
		return s[last+i:]
	}
	return ""
}

// IsLoopback reports whether host, which may carry a port, is this machine.
func IsLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

// Lengths of a repository's name and the pattern each of its parts follows.
// Source: RepositoryName in the service model of ECR's API.
const (
	minName = 2
	maxName = 256
)

var namePart = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$`)

// ValidateName reports whether ECR takes name as a repository's name: 2 to 256
// characters in parts separated by slashes, each part of lower-case letters
// and digits with a '.', one or two '_' or any number of '-' between them. The
// error says which part breaks which of these.
func ValidateName(name string) error {
	if len(name) < minName || len(name) > maxName {
		return fmt.Errorf("name has %d characters, ECR allows %d to %d", len(name), minName, maxName)
	}
	for part := range strings.SplitSeq(name, "/") {
		if namePart.MatchString(part) {
			continue
		}
		return fmt.Errorf("%s in name %q", partFault(part), name)
	}
	return nil
}

func partFault(part string) string {
	switch {
	case part == "":
		return "empty part (a slash at an end, or two in a row)"
	case part != strings.ToLower(part):
		return fmt.Sprintf("upper-case letter in %q", part)
	case strings.ContainsFunc(part, notNameRune):
		return fmt.Sprintf("character other than a-z, 0-9, '.', '_' and '-' in %q", part)
	case !strings.ContainsFunc(part[:1]+part[len(part)-1:], isSeparator):
		return fmt.Sprintf("only one '.', one or two '_' or some '-' may be next to each other, not as in %q", part)
	default:
		return fmt.Sprintf("'.', '_' or '-' at an end of %q", part)
	}
}

func isSeparator(r rune) bool { return strings.ContainsRune("._-", r) }

func notNameRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !isSeparator(r)
}

// NormalizeName lower-cases a name, since ECR knows no upper case and compose
// files do. It changes nothing else: ValidateName reports what is still wrong.
func NormalizeName(s string) string { return strings.ToLower(s) }

// The tags that Slipway moves itself; no build may be named by one of them.
const (
	TagLatest   = "latest"          // the revision that should run
	TagPrevious = "previous-latest" // the running image when latest moved
	TagCache    = "buildcache"      // the remote build cache
)

// TagDeployed is TagPrevious as earlier versions called it. It is read and still
// protected, and no longer moved.
const TagDeployed = "deployed"

// Protected returns the tags that Slipway itself owns and that retention never
// takes, but for those of ECS services and of caches, which have prefixes.
func Protected() []string { return []string{TagLatest, TagPrevious, TagCache} }

// IsProtected reports whether Slipway itself owns a tag that retention never
// takes: one of Protected, one of an ECS service, TagDeployed, or one that begins
// like TagCache.
func IsProtected(tag string) bool {
	return slices.Contains(Protected(), tag) || tag == TagDeployed || IsServiceTag(tag) || strings.HasPrefix(tag, TagCache)
}

// TagInputs begins the tags that name what an image was built from. Retention
// takes such an image like any other.
const TagInputs = "in-"

// TagRecord begins the tags of the records of revisions. TagNewest is the record
// of the revision that a build last moved latest to, in one repository of the
// project. Retention takes a record like any image.
const (
	TagRecord = "revision-"
	TagNewest = TagLatest + "-revision"
)

// IsRecordTag reports whether a tag is that of a record: TagNewest, or one that
// begins with TagRecord.
func IsRecordTag(tag string) bool { return tag == TagNewest || strings.HasPrefix(tag, TagRecord) }

// RecordTag returns the tag of a revision's record. A name that is too long for
// it is shortened, with a checksum.
func RecordTag(name string) string {
	if most := maxTag - len(TagRecord); len(name) > most {
		sum := sha256.Sum256([]byte(name))
		suffix := "-" + hex.EncodeToString(sum[:6])
		name = name[:most-len(suffix)] + suffix
	}
	return TagRecord + name
}

// IsRevisionName reports whether a tag can be the name of a revision: it is
// neither protected nor that of a record, and does not begin with TagInputs.
func IsRevisionName(tag string) bool {
	return !IsProtected(tag) && !strings.HasPrefix(tag, TagInputs) && !IsRecordTag(tag)
}

// CacheTag is the tag of the build cache of one platform, where several engines
// share the work: in one tag, each would overwrite what another one wrote. An
// empty platform is that of the only engine.
func CacheTag(platform string) string {
	if platform == "" {
		return TagCache
	}
	legal := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}
	return TagCache + "-" + strings.Map(legal, platform)
}

// BaseCacheTag is the tag of the build cache of a service without a repository, in that of
// another service. It begins like the tag of a platform's cache, so that the same rules and
// filters protect it.
func BaseCacheTag(platform, service string) string {
	if platform == "" {
		platform = "linux"
	}
	tag := CacheTag(platform + "-base-" + service)
	return tag[:min(len(tag), maxTag)]
}

// cachePattern stands, in rules and filters, for all caches.
const cachePattern = TagCache + "*"

// protectedPatterns are the protected tags as the patterns of lifecycle rules.
func protectedPatterns() []string {
	return []string{TagLatest, livePrefix + "*", previousPrefix + "*", cachePattern}
}

// movingPatterns are the filters of the tags that may move in a repository that
// Slipway creates. ECR takes maxFilters of them, so that one is for TagLatest and
// TagNewest.
func movingPatterns() []string {
	return []string{TagLatest + "*", livePrefix + "*", previousPrefix + "*", cachePattern, TagInputs + "*"}
}

// maxTag is the length of the longest tag ("Pulling manifests" in the OCI distribution
// specification).
const maxTag = 128

var tagPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// ValidateTag reports whether tag is a legal tag: 1 to 128 of the characters
// A-Z, a-z, 0-9, '_', '.' and '-', not starting with '.' or '-'.
// Source: "Pulling manifests" in the OCI distribution specification.
func ValidateTag(tag string) error {
	if len(tag) <= maxTag && tagPattern.MatchString(tag) {
		return nil
	}
	return fmt.Errorf("tag %q: want 1 to 128 of A-Z, a-z, 0-9, '_', '.' and '-', not starting with '.' or '-'", tag)
}
