package awsapi

import (
	"net/http"
	"regexp"
	"strings"
)

// AccountRegion is an account and a region: most resources belong to both.
type AccountRegion struct{ Account, Region string }

// regionPattern allows the regions of requests that are safe as directory
// names.
var regionPattern = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)

// ValidAccount reports whether an account is one of twelve digits.
func ValidAccount(account string) bool { return accountPattern.MatchString(account) }

// ValidRegion reports whether a region has the form of one.
func ValidRegion(region string) bool { return regionPattern.MatchString(region) }

// CheckRegion returns an error for a region that no request can be signed for.
func CheckRegion(region string) error {
	if !ValidRegion(region) {
		return Errorf("InvalidSignatureException", "credential scope names no region: %q", region)
	}
	return nil
}

// Partition returns the partition of a region, as ARNs begin with it.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}

// credentialScope is the part of a SigV4 Authorization header that names the
// region and the service: Credential=KEY/date/REGION/SERVICE/aws4_request.
var credentialScope = regexp.MustCompile(`Credential=[^/,\s]+/[0-9]{8}/([^/,\s]+)/([^/,\s]+)/aws4_request`)

// SignedRegion returns the region that a request is signed for, "" if it is not
// signed. It does not check the signature.
func SignedRegion(r *http.Request) string {
	m := credentialScope.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return ""
	}
	return m[1]
}

// SignedService returns the service that a request is signed for, "" if it is not
// signed.
func SignedService(r *http.Request) string {
	m := credentialScope.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return ""
	}
	return m[2]
}
