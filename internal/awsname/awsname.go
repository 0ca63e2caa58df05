package awsname

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// shorten keeps a name that is much too long out of messages.
func shorten(name string) string {
	const most = 140
	if len(name) <= most {
		return name
	}
	return name[:most] + "…"
}

var account = regexp.MustCompile(`^[0-9]{12}$`)

// CheckAccount returns an error unless id is an account ID: 12 digits ("View AWS account
// identifiers" in the AWS Account Management guide).
func CheckAccount(id string) error {
	if account.MatchString(id) {
		return nil
	}
	return fmt.Errorf("%q is not an AWS account id of 12 digits", shorten(id))
}

// pattern is a regular expression for text of ASCII characters with a longest
// length. A bound in the expression itself would make a state of each character,
// at each start of the program.
type pattern struct {
	*regexp.Regexp
	most int
}

// MatchString reports whether the text matches and is not too long.
func (p pattern) MatchString(s string) bool { return len(s) <= p.most && p.Regexp.MatchString(s) }

var ecsName = pattern{regexp.MustCompile(`^[A-Za-z0-9_-]+$`), 255}

// CheckContainer returns an error unless name can be an ECS container's name: up to 255
// letters, digits, underscores and hyphens (ContainerDefinition in the ECS API
// reference).
func CheckContainer(name string) error {
	if ecsName.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q is not an ECS container name of 1 to 255 letters, digits, '_' and '-'", shorten(name))
}

// CheckCluster returns an error unless name is a cluster's name (CreateCluster in the ECS
// API reference: up to 255 letters, digits, underscores and hyphens) or its ARN.
func CheckCluster(name string) error {
	if ecsName.MatchString(name) {
		return nil
	}
	resource, ok, err := ecsResource(name)
	if err != nil {
		return err
	}
	if rest, is := strings.CutPrefix(resource, "cluster/"); ok && is && ecsName.MatchString(rest) {
		return nil
	}
	return fmt.Errorf("%q is neither an ECS cluster's name of 1 to 255 letters, digits, '_' and '-' nor a cluster's ARN", shorten(name))
}

// CheckService returns an error unless name is a service's name (CreateService in the ECS
// API reference: up to 255 letters, digits, underscores and hyphens) or its ARN,
// with or without the cluster's name ("Amazon Resource Names (ARNs) and IDs" in the ECS
// developer guide).
func CheckService(name string) error {
	if ecsName.MatchString(name) {
		return nil
	}
	resource, ok, err := ecsResource(name)
	if err != nil {
		return err
	}
	if rest, is := strings.CutPrefix(resource, "service/"); ok && is {
		cluster, service, long := strings.Cut(rest, "/")
		if ecsName.MatchString(cluster) && (!long || ecsName.MatchString(service)) {
			return nil
		}
	}
	return fmt.Errorf("%q is neither an ECS service's name of 1 to 255 letters, digits, '_' and '-' nor a service's ARN", shorten(name))
}

// ecsResource returns the resource of an ARN of ECS, and false for a text that is not an
// ARN.
func ecsResource(arn string) (string, bool, error) {
	if !strings.HasPrefix(arn, "arn:") {
		return "", false, nil
	}
	a, err := parseARN(arn)
	if err != nil {
		return "", false, err
	}
	if a.service != "ecs" {
		return "", false, fmt.Errorf("%q is an ARN of %s, not of ecs", shorten(arn), a.service)
	}
	return a.resource, true, a.checkPlace()
}

// arn has the parts of an ARN ("Amazon Resource Names (ARNs)" in the IAM user guide).
type arn struct{ partition, service, region, account, resource string }

var serviceName = regexp.MustCompile(`^[a-z0-9-]+$`)

func parseARN(s string) (arn, error) {
	part := strings.SplitN(s, ":", 6)
	if len(part) != 6 || part[0] != "arn" || !serviceName.MatchString(part[2]) {
		return arn{}, fmt.Errorf("%q is not an ARN", shorten(s))
	}
	a := arn{part[1], part[2], part[3], part[4], part[5]}
	return a, CheckPartition(a.partition)
}

// checkPlace wants an account, and a region of the ARN's own partition.
func (a arn) checkPlace() error {
	if err := CheckAccount(a.account); err != nil {
		return err
	}
	p, ok := PartitionOf(a.region)
	if !ok {
		return CheckRegion(a.region)
	}
	if p.ID != a.partition {
		return fmt.Errorf("the region %s is in the partition %s, not %s", a.region, p.ID, a.partition)
	}
	return nil
}

// rolePath is the path and the name of a role or user: names of 1 to 64 of the
// characters of CreateRole and CreateUser in the IAM API reference. A path may have
// more characters there; those that a policy reads as wildcards or variables are
// refused.
var rolePath = regexp.MustCompile(`^/?(?:[\w+=,.@-]{1,64}/)*[\w+=,.@-]{1,64}$`)

// maxRole is the length of a path, 512, and a name, 64.
const maxRole = 512 + 64

// CheckRole returns an error unless name is a role's name, which may have its path before
// it, or the ARN of a role.
func CheckRole(name string) error { return checkIAM(name, "role") }

// CheckPrincipal returns an error unless name is a role's name, which may have its path
// before it, or the ARN of a role or a user.
func CheckPrincipal(name string) error { return checkIAM(name, "role", "user") }

func checkIAM(name string, kinds ...string) error {
	bad := fmt.Errorf("%q is neither an IAM role's name nor the ARN of a %s", shorten(name), strings.Join(kinds, " or "))
	if !strings.HasPrefix(name, "arn:") {
		if len(name) <= maxRole && rolePath.MatchString(name) {
			return nil
		}
		return bad
	}
	a, err := parseARN(name)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		rest, ok := strings.CutPrefix(a.resource, kind+"/")
		if ok && a.service == "iam" && a.region == "" && len(rest) <= maxRole && rolePath.MatchString(rest) {
			return CheckAccount(a.account)
		}
	}
	return bad
}

var pipeline = pattern{regexp.MustCompile(`^[A-Za-z0-9.@_-]+$`), 100}

// CheckPipeline returns an error unless name can be a pipeline's name
// (PipelineDeclaration in the CodePipeline API reference).
func CheckPipeline(name string) error {
	if pipeline.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q is not a pipeline's name of 1 to 100 letters, digits and . @ - _", shorten(name))
}

var logGroup = pattern{regexp.MustCompile(`^[A-Za-z0-9._/#-]+$`), 512}

// CheckLogGroup returns an error unless name can be a log group's name
// (CreateLogGroup in the CloudWatch Logs API reference).
func CheckLogGroup(name string) error {
	if logGroup.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q is not a log group's name of 1 to 512 letters, digits and . _ - / #", shorten(name))
}

// deployment is the name of an application or a deployment group. CodeDeploy's API
// reference gives their length, 100, and no characters; these are the ones that the
// CodeDeploy console and ECS give, and none that a policy reads in another way.
var deployment = pattern{regexp.MustCompile(`^[\w+=,.@-]+$`), 100}

// CheckDeploymentGroup returns an error unless s is APPLICATION/GROUP.
func CheckDeploymentGroup(s string) error {
	application, group, ok := strings.Cut(s, "/")
	if !ok {
		return errors.New("write APPLICATION/GROUP")
	}
	for _, name := range []string{application, group} {
		if !deployment.MatchString(name) {
			return fmt.Errorf("%q is not the name of a CodeDeploy application or deployment group of 1 to 100 letters, digits and + = , . @ - _", shorten(name))
		}
	}
	return nil
}

// LastPart returns what follows the last slash of an ARN, or all of it where
// there is no slash.
func LastPart(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// AfterSlash returns what follows the last slash of an ARN or id, or "" where
// there is no slash.
func AfterSlash(id string) string {
	if !strings.Contains(id, "/") {
		return ""
	}
	return LastPart(id)
}
