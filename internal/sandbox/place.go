package sandbox

import (
	"regexp"
	"strings"
)

// place is an account and a region: most resources belong to both.
type place struct{ account, region string }

// regionPattern allows the regions of requests that are safe as directory names.
var regionPattern = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)

// checkRegion returns an error for a region that no request can be signed for.
func checkRegion(region string) error {
	if !regionPattern.MatchString(region) {
		return apiErrorf("InvalidSignatureException", "credential scope names no region: %q", region)
	}
	return nil
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}
