package ecr

import (
	"fmt"
	"regexp"

	"slipway/internal/sandbox/awsapi"
)

// Service returns the ECR API. Names of fields, limits and errors are those of
// its API reference, version 2015-09-21.
func (s *Registries) Service() awsapi.Service {
	return awsapi.Service{
		Name:   "ecr",
		Prefix: "AmazonEC2ContainerRegistry_V20150921",
		Actions: map[string]awsapi.Action{
			"GetAuthorizationToken":                   awsapi.NewAction(s.getAuthorizationToken),
			"DescribeRepositories":                    awsapi.NewAction(s.describeRepositories),
			"CreateRepository":                        awsapi.NewAction(s.createRepository),
			"DeleteRepository":                        awsapi.NewAction(s.deleteRepository),
			"PutImageTagMutability":                   awsapi.NewAction(s.putImageTagMutability),
			"TagResource":                             awsapi.NewAction(s.tagResource),
			"UntagResource":                           awsapi.NewAction(s.untagResource),
			"ListTagsForResource":                     awsapi.NewAction(s.listTagsForResource),
			"BatchGetImage":                           awsapi.NewAction(s.batchGetImage),
			"PutImage":                                awsapi.NewAction(s.putImage),
			"DescribeImages":                          awsapi.NewAction(s.describeImages),
			"ListImages":                              awsapi.NewAction(s.listImages),
			"BatchDeleteImage":                        awsapi.NewAction(s.batchDeleteImage),
			"BatchCheckLayerAvailability":             awsapi.NewAction(s.batchCheckLayerAvailability),
			"InitiateLayerUpload":                     awsapi.NewAction(s.initiateLayerUpload),
			"UploadLayerPart":                         awsapi.NewAction(s.uploadLayerPart),
			"CompleteLayerUpload":                     awsapi.NewAction(s.completeLayerUpload),
			"ListImageReferrers":                      awsapi.NewAction(s.listImageReferrers),
			"GetDownloadUrlForLayer":                  awsapi.NewAction(s.getDownloadURLForLayer),
			"UpdateImageStorageClass":                 awsapi.NewAction(s.updateImageStorageClass),
			"PutLifecyclePolicy":                      awsapi.NewAction(s.putLifecyclePolicy),
			"GetLifecyclePolicy":                      awsapi.NewAction(s.getLifecyclePolicy),
			"DeleteLifecyclePolicy":                   awsapi.NewAction(s.deleteLifecyclePolicy),
			"StartLifecyclePolicyPreview":             awsapi.NewAction(s.startLifecyclePolicyPreview),
			"GetLifecyclePolicyPreview":               awsapi.NewAction(s.getLifecyclePolicyPreview),
			"DescribeImageScanFindings":               awsapi.NewAction(s.describeImageScanFindings),
			"DescribeImageSigningStatus":              awsapi.NewAction(s.describeImageSigningStatus),
			"BatchGetRepositoryScanningConfiguration": awsapi.NewAction(s.batchGetRepositoryScanningConfiguration),
			"GetAccountSetting":                       awsapi.NewAction(s.getAccountSetting),
			"PutAccountSetting":                       awsapi.NewAction(s.putAccountSetting),
		},
	}
}

// target is the part of most requests that names a repository.
type target struct {
	RegistryID     string `json:"registryId"`
	RepositoryName string `json:"repositoryName"`
}

const repositoryNameRule = `(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`

var repositoryNamePattern = regexp.MustCompile(`^` + repositoryNameRule + `$`)

func checkRepositoryName(name string) error {
	switch {
	case len(name) < 2 || len(name) > 256:
		return awsapi.InvalidParameter("repositoryName", "must have length between 2 and 256")
	case !repositoryNamePattern.MatchString(name):
		return awsapi.InvalidParameter("repositoryName", "must satisfy regular expression '"+repositoryNameRule+"'")
	}
	return nil
}

// registry returns the registry of a request: that of the account that it
// names, or the default one, in the region that it is signed for.
func (s *Registries) registry(c awsapi.Call, registryID string) (*Registry, error) {
	if registryID == "" {
		registryID = s.options.Account
	}
	return s.at(awsapi.AccountRegion{Account: registryID, Region: c.Region})
}

// locked finds the repository of a request and calls f with mu of its registry
// held.
func (s *Registries) locked(c awsapi.Call, t target, f func(*Registry, *repository) error) error {
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

func (g *Registry) arn(repository string) string {
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", awsapi.Partition(g.Region), g.Region, g.Account, repository)
}

var arnPattern = regexp.MustCompile(`^arn:aws[a-z-]*:ecr:([a-z0-9-]+):([0-9]{12}):repository/(.+)$`)

// lockedARN is locked for requests that name their repository by ARN.
func (s *Registries) lockedARN(c awsapi.Call, arn string, f func(*Registry, *repository) error) error {
	m := arnPattern.FindStringSubmatch(arn)
	if m == nil || m[1] != c.Region {
		return awsapi.InvalidParameter("resourceArn", "must be the ARN of a repository in "+c.Region)
	}
	return s.locked(c, target{m[2], m[3]}, f)
}
