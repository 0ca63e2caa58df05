package artifact

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"slipway/internal/fault"
)

// S3Location is an object in S3, or a prefix of objects.
type S3Location struct {
	Bucket string
	Key    string // never empty; no leading slash but the key's own
}

// String is the address that ParseS3URL reads.
func (l S3Location) String() string { return "s3://" + l.Bucket + "/" + l.Key }

// S3URLError is an invalid s3:// address.
type S3URLError struct {
	URL    string
	Reason string
}

func (e *S3URLError) Error() string {
	return fmt.Sprintf("%q is not an S3 address: %s (s3://BUCKET/KEY)", e.URL, e.Reason)
}

// Kind returns fault.Usage.
func (e *S3URLError) Kind() fault.Kind { return fault.Usage }

// maxKey is the length of a key in bytes, from "Naming Amazon S3 objects" in
// the S3 user guide.
const maxKey = 1024

// ParseS3URL parses s3://BUCKET/KEY. The key is taken literally: nothing in it is
// unescaped, and it may end in a slash. Errors are *S3URLError.
func ParseS3URL(url string) (S3Location, error) {
	rest, ok := strings.CutPrefix(url, "s3://")
	if !ok {
		return S3Location{}, &S3URLError{url, "it does not start with s3://"}
	}
	bucket, key, _ := strings.Cut(rest, "/")
	reason := badBucket(bucket)
	if reason == "" {
		reason = badKey(key)
	}
	if reason != "" {
		return S3Location{}, &S3URLError{url, reason}
	}
	return S3Location{bucket, key}, nil
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// badBucket follows the "General purpose bucket naming rules" of the S3 user
// guide, but for the prefixes and suffixes kept for S3: aliases have them, and
// can be used where a bucket can.
func badBucket(bucket string) string {
	switch {
	case bucket == "":
		return "the bucket is missing"
	case !bucketName.MatchString(bucket):
		return fmt.Sprintf("bucket %q is not 3 to 63 lower-case letters, digits, '.' and '-', a letter or digit at both ends", bucket)
	case strings.Contains(bucket, ".."):
		return fmt.Sprintf("bucket %q has two dots in a row", bucket)
	}
	if ip, err := netip.ParseAddr(bucket); err == nil && ip.Is4() {
		return fmt.Sprintf("bucket %q looks like an IP address", bucket)
	}
	return ""
}

// badKey also refuses keys that S3 accepts and other programs cannot handle.
func badKey(key string) string {
	switch {
	case key == "":
		return "the key is missing"
	case len(key) > maxKey:
		return fmt.Sprintf("the key has %d bytes, more than %d", len(key), maxKey)
	case !utf8.ValidString(key):
		return "the key is not UTF-8"
	case strings.ContainsFunc(key, unicode.IsControl):
		return "the key has a control character"
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "." || part == ".." {
			return fmt.Sprintf("the key has a part %q", part)
		}
	}
	return ""
}

// ParseS3Prefix parses s3://BUCKET/PREFIX, or s3://BUCKET or BUCKET for a whole
// bucket. Key is then empty. Errors are *S3URLError.
func ParseS3Prefix(url string) (S3Location, error) {
	rest := strings.TrimPrefix(url, "s3://")
	bucket, prefix, _ := strings.Cut(rest, "/")
	if rest == url && prefix != "" {
		return S3Location{}, &S3URLError{url, "it does not start with s3://"}
	}
	if prefix != "" {
		return ParseS3URL(url)
	}
	if reason := badBucket(bucket); reason != "" {
		return S3Location{}, &S3URLError{url, reason}
	}
	return S3Location{Bucket: bucket}, nil
}
