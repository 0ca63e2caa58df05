package rollout

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"slipway/project"
	"slipway/registry"
	"slipway/rollout/ecs"
)

// keepHosts returns the wanted images of an ECS service, each written with the host that
// the container's task definition uses for the same repository. A repository is account,
// region and name; its host is only a way to reach it, and the network of the tasks may
// allow no other. An image that names another host than ECR's answer does so on
// purpose, and stays.
func (st *Service) keepHosts(wants map[string]ecs.DesiredImage) map[string]ecs.DesiredImage {
	out := maps.Clone(wants)
	for _, c := range st.State.Containers {
		want, wanted := wants[c.Name]
		repo, ours := st.Repositories[c.Name]
		if !wanted || !ours || !namesRepository(c.Image, repo.Ref) {
			continue
		}
		suffix, canonical := strings.CutPrefix(want.Image, repo.URI.Name())
		named, err := reference.ParseNormalizedNamed(c.Image)
		if err != nil || !canonical || suffix != "" && suffix[0] != ':' && suffix[0] != '@' {
			continue
		}
		want.Image = named.Name() + suffix
		out[c.Name] = want
	}
	return out
}

// namesRepository reports whether an image reference names a repository of ECR, whichever
// of the repository's hosts it uses. repo has an account and a region.
func namesRepository(image string, repo registry.Ref) bool {
	if ref, ok := project.RepositoryOfImage(image); ok {
		return project.MayBeSame(ref, repo)
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil || reference.Path(named) != repo.Name {
		return false
	}
	m := endpointHost.FindStringSubmatch(reference.Domain(named))
	return m != nil && m[1] == repo.Region
}

// endpointHost is the host of an interface VPC endpoint of ECR's registry. It names the
// region and no account, so it names the repository of that region and name only where
// something else, the compose file, says which account is meant. Endpoints with private
// DNS have no such host: there, ECR's own names lead to them.
// Source: "Access an AWS service using an interface VPC endpoint" in the AWS PrivateLink
// guide, and "Amazon ECR interface VPC endpoints" in the ECR user guide.
var endpointHost = regexp.MustCompile(`^vpce-[0-9a-z-]+\.dkr\.ecr\.([a-z0-9-]+)\.vpce\.amazonaws\.com(?:\.cn)?$`)

// checkReach refuses a deployment that reaches no container of any service: moving tags
// for it would change what later deployments take, and deploy nothing now.
func (s *Services) checkReach(changes []ecs.Change) error {
	var services []string
	for _, c := range changes {
		if len(c.Wants) > 0 {
			return nil
		}
		var containers []string
		for _, container := range c.Service.Containers {
			containers = append(containers, container.Name+" runs "+container.Image)
		}
		services = append(services, fmt.Sprintf("ECS service %s (%s)", c.Service.Ref, strings.Join(containers, ", ")))
	}
	var repos []string
	for _, repo := range s.Repositories {
		repos = append(repos, repo.URI.Name())
	}
	return refuse(NoContainer, "no container runs an image of %s: %s", strings.Join(slices.Compact(repos), ", "), strings.Join(services, "; "))
}
