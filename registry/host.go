package registry

import (
	"regexp"
	"strings"

	"slipway/internal/awsname"
)

// ecrLabels are the labels of ECR's host names before the partition's suffix:
// account, kind and region.
var ecrLabels = regexp.MustCompile(`^([0-9]{12})\.(dkr\.ecr|dkr\.ecr-fips|dkr-ecr|dkr-ecr-fips)\.([a-z0-9-]+)\.(.+)$`)

// Host is the content of the host name of an ECR registry.
type Host struct {
	// Account is the registry's 12-digit AWS account id.
	Account string
	// Region is the registry's region; it fits a partition's pattern.
	Region string
}

// ParseHost reads the host name of an ECR registry in exactly the forms that
// AWS documents: plain, FIPS and dual stack, in lower case, under the DNS
// suffix of the partition that the region belongs to, with no port but 443. It
// returns false for every other name, VPC endpoints included: those only AWS's
// answers can name. Whoever answers at a host that ParseHost takes is AWS, so
// that a token may be sent there.
//
// Sources: "Amazon ECR endpoints and quotas" in the AWS General Reference,
// "Making requests to Amazon ECR registries" in the ECR user guide.
func ParseHost(host string) (Host, bool) {
	m := ecrLabels.FindStringSubmatch(strings.TrimSuffix(host, ":443"))
	if m == nil {
		return Host{}, false
	}
	partition, ok := awsname.PartitionOf(m[3])
	if !ok || m[4] != suffix(partition, m[2]) {
		return Host{}, false
	}
	return Host{Account: m[1], Region: m[3]}, true
}

// suffix ends the host names of a kind in a partition; nothing that a host name
// can end in where the partition has none of the kind.
func suffix(p awsname.Partition, kind string) string {
	switch {
	case strings.HasSuffix(kind, "-fips") && !p.FIPS:
		return ""
	case strings.HasPrefix(kind, "dkr-ecr"):
		return p.RegistrySuffix
	default:
		return p.DNSSuffix
	}
}

// localHost is ECR's host name as local stand-ins write it. It names a
// repository; only the answer of the stand-in makes it a host that a token is
// sent to.
var localHost = regexp.MustCompile(`^([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.localhost(?:\.localstack\.cloud)?(?::[0-9]+)?$`)

// namedHost reads the host in a repository's URI, in any case of its letters.
func namedHost(host string) (Host, bool) {
	host = strings.ToLower(host)
	if h, ok := ParseHost(host); ok {
		return h, true
	}
	m := localHost.FindStringSubmatch(host)
	if m == nil || awsname.CheckRegion(m[2]) != nil {
		return Host{}, false
	}
	return Host{Account: m[1], Region: m[2]}, true
}
