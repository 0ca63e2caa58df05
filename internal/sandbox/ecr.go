package sandbox

import (
	"fmt"
	"regexp"
	"strings"
)

// newECR is the ECR API. Names of fields, limits and errors are those of its
// API reference, version 2015-09-21.
func newECR() jsonService {
	return jsonService{
		name:   "ecr",
		prefix: "AmazonEC2ContainerRegistry_V20150921",
		actions: map[string]jsonAction{
			"GetAuthorizationToken":       action(getAuthorizationToken),
			"DescribeRepositories":        action(describeRepositories),
			"CreateRepository":            action(createRepository),
			"DeleteRepository":            action(deleteRepository),
			"PutImageTagMutability":       action(putImageTagMutability),
			"TagResource":                 action(tagResource),
			"UntagResource":               action(untagResource),
			"ListTagsForResource":         action(listTagsForResource),
			"BatchGetImage":               action(batchGetImage),
			"PutImage":                    action(putImage),
			"DescribeImages":              action(describeImages),
			"ListImages":                  action(listImages),
			"BatchDeleteImage":            action(batchDeleteImage),
			"BatchCheckLayerAvailability": action(batchCheckLayerAvailability),
			"GetDownloadUrlForLayer":      action(getDownloadURLForLayer),
			"UpdateImageStorageClass":     action(updateImageStorageClass),
			"PutLifecyclePolicy":          action(putLifecyclePolicy),
			"GetLifecyclePolicy":          action(getLifecyclePolicy),
			"DeleteLifecyclePolicy":       action(deleteLifecyclePolicy),
			"StartLifecyclePolicyPreview": action(startLifecyclePolicyPreview),
			"GetLifecyclePolicyPreview":   action(getLifecyclePolicyPreview),
			"GetAccountSetting":           action(getAccountSetting),
			"PutAccountSetting":           action(putAccountSetting),
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
func (c jsonCall) registry(registryID string) (*registry, error) {
	if registryID == "" {
		registryID = c.server.options.Account
	}
	return c.server.registryAt(place{registryID, c.region})
}

// locked finds a request's repository and runs f with its registry's lock held.
func (c jsonCall) locked(t target, f func(*registry, *repository) error) error {
	if err := checkRepositoryName(t.RepositoryName); err != nil {
		return err
	}
	g, err := c.registry(t.RegistryID)
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

var arnPattern = regexp.MustCompile(`^arn:aws[a-z-]*:ecr:([a-z0-9-]+):([0-9]{12}):repository/(.+)$`)

// lockedARN is locked for requests that name their repository by ARN.
func (c jsonCall) lockedARN(arn string, f func(*registry, *repository) error) error {
	m := arnPattern.FindStringSubmatch(arn)
	if m == nil || m[1] != c.region {
		return invalid("resourceArn", "must be the ARN of a repository in "+c.region)
	}
	return c.locked(target{m[2], m[3]}, f)
}
