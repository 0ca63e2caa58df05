package sandbox

import (
	"cmp"
	"regexp"
)

// registryHost is a host by which ECS may reach a registry of ECR: the plain one, FIPS,
// dual stack, and an interface VPC endpoint's, which names no account. Sources: "Amazon
// ECR endpoints and quotas" in the AWS General Reference, "Amazon ECR interface VPC
// endpoints" in the ECR user guide.
var registryHost = regexp.MustCompile(`^(?:([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)|vpce-[0-9a-z-]+\.dkr\.ecr\.([a-z0-9-]+)\.vpce\.amazonaws\.com(?:\.cn)?)$`)

// placeOf is the registry that an ECR host name leads to, from a task of this account.
func (s *Server) placeOf(host string) (place, bool) {
	m := registryHost.FindStringSubmatch(host)
	if m == nil {
		return place{}, false
	}
	return place{cmp.Or(m[1], s.options.Account), cmp.Or(m[2], m[3])}, true
}
