package iam

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"slipway/internal/awsname"
)

// check refuses names that AWS does not allow, so that none becomes a wildcard or
// a variable in an ARN. Errors are *UseError with the field.
func (s Scope) check() error {
	for _, f := range []struct {
		field string
		test  func(string) error
		names []string
	}{
		{"Partition", awsname.CheckPartition, []string{s.Partition}},
		{"Region", awsname.CheckRegion, []string{s.Region}},
		{"Account", awsname.CheckAccount, []string{s.Account}},
		{"Pipeline", awsname.CheckPipeline, []string{s.Pipeline}},
		{"Roles", awsname.CheckRole, s.Roles},
		{"LogGroups", awsname.CheckLogGroup, s.LogGroups},
		{"Caller", awsname.CheckPrincipal, []string{s.Caller}},
		{"DeploymentGroups", awsname.CheckDeploymentGroup, s.DeploymentGroups},
	} {
		for _, name := range f.names {
			if err := f.test(name); err != nil && name != "" {
				return &UseError{Field: f.field, Problem: err.Error(), remedy: "write it as AWS does, without wildcards and variables"}
			}
		}
	}
	return s.checkProject()
}

// checkProject checks the names of the compose file.
func (s Scope) checkProject() error {
	bad := func(field string, err error) error {
		return &UseError{Field: field, Problem: err.Error(), remedy: "write it as AWS does, without wildcards and variables"}
	}
	for _, svc := range s.Services {
		if err := awsname.CheckService(svc.Service); err != nil {
			return bad("Services", err)
		}
		if err := awsname.CheckCluster(or(svc.Cluster, "default")); err != nil {
			return bad("Services", err)
		}
	}
	for _, r := range s.Mirrors {
		if r.Name != "" && !isRepository(r.Name) {
			return bad("Mirrors", fmt.Errorf("%q is not the prefix of a repository's name", r.Name))
		}
	}
	for _, name := range slices.Concat(s.Secrets, s.SecretARNs, s.Parameters) {
		if !secretName.MatchString(name) {
			return bad("Secrets", fmt.Errorf("%q is not the name or the ARN of a secret or a parameter", name))
		}
	}
	for _, family := range s.Before {
		if err := awsname.CheckContainer(family); err != nil { // the same letters
			return bad("Before", fmt.Errorf("%q is not a family of task definitions", family))
		}
	}
	if s.Stack != "" && !stackName.MatchString(s.Stack) {
		return bad("Stack", fmt.Errorf("%q is not the name or the ARN of a stack", s.Stack))
	}
	for _, r := range s.Repositories {
		switch {
		case !isRepository(r.Name):
			return bad("Repositories", fmt.Errorf("%q is not a repository's name", r.Name))
		case r.Region != "" && awsname.CheckRegion(r.Region) != nil:
			return bad("Repositories", awsname.CheckRegion(r.Region))
		case r.Account != "" && awsname.CheckAccount(r.Account) != nil:
			return bad("Repositories", awsname.CheckAccount(r.Account))
		}
	}
	return nil
}

// isRepository reports whether a name has the length and the characters of a
// repository's name (RepositoryName in the ECR API reference). Package registry knows
// the whole grammar.
func isRepository(name string) bool {
	const shortest, longest = 2, 256
	return len(name) >= shortest && len(name) <= longest && repositoryName.MatchString(name)
}

var repositoryName = regexp.MustCompile(`^[a-z0-9._/-]+$`)

// secretName has the characters of the names of secrets and parameters (CreateSecret in
// the Secrets Manager API reference, PutParameter in that of Systems Manager), and of
// their ARNs.
var secretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@:-]+$`)

// stackName has the characters of the name of a stack (CreateStack in the CloudFormation
// API reference), and of its ARN.
var stackName = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9-]*|arn:[a-z-]+:cloudformation:[a-z0-9-]+:\d{12}:stack/[a-zA-Z0-9/-]+)$`)

// literal keeps the characters of an S3 key that an ARN or a condition would read as a
// wildcard or the start of a variable ("IAM policy elements: Variables and tags" in the
// IAM user guide, special characters).
func literal(key string) string {
	return strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}").Replace(key)
}
