package sandbox

import (
	"fmt"
	"regexp"
)

// service returns the ECR API. Names of fields, limits and errors are those of
// its API reference, version 2015-09-21.
func (s *registries) service() jsonService {
	return jsonService{
		name:   "ecr",
		prefix: "AmazonEC2ContainerRegistry_V20150921",
		actions: map[string]jsonAction{
			"GetAuthorizationToken":       action(s.getAuthorizationToken),
			"DescribeRepositories":        action(s.describeRepositories),
			"CreateRepository":            action(s.createRepository),
			"DeleteRepository":            action(s.deleteRepository),
			"PutImageTagMutability":       action(s.putImageTagMutability),
			"TagResource":                 action(s.tagResource),
			"UntagResource":               action(s.untagResource),
			"ListTagsForResource":         action(s.listTagsForResource),
			"BatchGetImage":               action(s.batchGetImage),
			"PutImage":                    action(s.putImage),
			"DescribeImages":              action(s.describeImages),
			"ListImages":                  action(s.listImages),
			"BatchDeleteImage":            action(s.batchDeleteImage),
			"BatchCheckLayerAvailability": action(s.batchCheckLayerAvailability),
			"GetDownloadUrlForLayer":      action(s.getDownloadURLForLayer),
			"UpdateImageStorageClass":     action(s.updateImageStorageClass),
			"PutLifecyclePolicy":          action(s.putLifecyclePolicy),
			"GetLifecyclePolicy":          action(s.getLifecyclePolicy),
			"DeleteLifecyclePolicy":       action(s.deleteLifecyclePolicy),
			"StartLifecyclePolicyPreview": action(s.startLifecyclePolicyPreview),
			"GetLifecyclePolicyPreview":   action(s.getLifecyclePolicyPreview),
			"GetAccountSetting":           action(s.getAccountSetting),
			"PutAccountSetting":           action(s.putAccountSetting),
		},
	}
}

// invalid is ECR's answer to a parameter that breaks a rule.
func invalid(field, rule string) *apiError {
	return apiErrorf("InvalidParameterException",
		"Invalid parameter at '%s' failed to satisfy constraint: '%s'", field, rule)
}

// target is what most requests name.
type target struct {
	RegistryID     string `json:"registryId"`
	RepositoryName string `json:"repositoryName"`
}

const repositoryNameRule = `(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`

var repositoryNamePattern = regexp.MustCompile(`^` + repositoryNameRule + `$`)

func checkRepositoryName(name string) error {
	switch {
	case len(name) < 2 || len(name) > 256:
		return invalid("repositoryName", "must have length between 2 and 256")
	case !repositoryNamePattern.MatchString(name):
		return invalid("repositoryName", "must satisfy regular expression '"+repositoryNameRule+"'")
	}
	return nil
}

// registry is the one a request works on: of the account it names, or the
// default one, in the region it is signed for.
func (s *registries) registry(c jsonCall, registryID string) (*registry, error) {
	if registryID == "" {
		registryID = s.options.Account
	}
	return s.at(place{registryID, c.region})
}

// locked finds a request's repository and runs f with its registry's lock held.
func (s *registries) locked(c jsonCall, t target, f func(*registry, *repository) error) error {
	if err := checkRepositoryName(t.RepositoryName); err != nil {
		return err
	}
	g, err := s.registry(c, t.RegistryID)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	r, err := g.repository(t.RepositoryName)
	if err != nil {
		return err
	}
	return f(g, r)
}

func (g *registry) arn(repository string) string {
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", partition(g.region), g.region, g.account, repository)
}

var arnPattern = regexp.MustCompile(`^arn:aws[a-z-]*:ecr:([a-z0-9-]+):([0-9]{12}):repository/(.+)$`)

// lockedARN is locked for requests that name their repository by ARN.
func (s *registries) lockedARN(c jsonCall, arn string, f func(*registry, *repository) error) error {
	m := arnPattern.FindStringSubmatch(arn)
	if m == nil || m[1] != c.region {
		return invalid("resourceArn", "must be the ARN of a repository in "+c.region)
	}
	return s.locked(c, target{m[2], m[3]}, f)
}
