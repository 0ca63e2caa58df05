package iam

import (
	"slices"
	"strings"

	"slipway/internal/awsname"
)

// The words in a policy for unknown values. IAM refuses them or allows nothing by
// them, so that an incomplete policy does not seem complete.
const (
	unknownRegion     = "REGION"
	unknownAccount    = "ACCOUNT"
	unknownRepository = "REPOSITORY"
	unknownRole       = "ROLE"
	unknownBucket     = "BUCKET"
	unknownPipeline   = "PIPELINE"
	unknownCaller     = "CALLER"
	unknownApp        = "APPLICATION"
	unknownGroup      = "DEPLOYMENT_GROUP"
	unknownSecret     = "SECRET"
)

// Placeholders are the words for the values that a Scope leaves open.
func Placeholders() []string {
	return []string{unknownRegion, unknownAccount, unknownRepository, unknownRole, unknownBucket, unknownPipeline, unknownCaller, unknownApp, unknownGroup, unknownSecret}
}

// Scope holds the resources that commands use. Empty fields become placeholders.
type Scope struct {
	Partition string // aws, aws-cn …; empty: that of the region
	Region    string // such as eu-west-1
	Account   string // 12 digits
	// Repositories are the project's in ECR.
	Repositories []Repository
	// Mirrors are the registries in ECR that build pulls base images through. The
	// name is the prefix of their repositories, or empty.
	Mirrors []Repository
	// Services are the project's on ECS.
	Services []Service
	// Artifact is BUCKET/KEY of the definitions' zip, if one is uploaded.
	Artifact string
	// Source is BUCKET/KEY of the source that `submit` sends.
	Source string
	// Pipeline is the name of the one that `submit --wait` follows.
	Pipeline string
	// Cache is BUCKET/PREFIX of the layer caches, if they are on S3. The prefix is
	// empty or ends in a slash.
	Cache string
	// Buckets are those of `retention --bucket`.
	Buckets []string
	// Roles are the names, with their paths, or ARNs of the roles that the task
	// definitions name.
	Roles []string
	// Caller is the role or user that calls, for requests about itself: a role's
	// name, with its path, or the ARN of a role or user.
	Caller string
	// DeploymentGroups are those of CodeDeploy that deploy the services, as
	// APPLICATION/GROUP.
	DeploymentGroups []string
	// LogGroups are those of the containers. If empty, /ecs/* of the ECS console is
	// used.
	LogGroups []string
	// Secrets are the names of the project's own secrets in Secrets Manager,
	// SecretARNs those of others, and Parameters the names or ARNs of parameters.
	Secrets, SecretARNs, Parameters []string
	// Before are the families of the one-off tasks that run before a rollout.
	Before []string
	// Stack is the name or the ARN of the stack that the task definitions take outputs
	// from, if there is one.
	Stack string
}

// Repository is a repository in ECR. Empty Account and Region are the scope's.
type Repository struct{ Account, Region, Name string }

// Service is an ECS service. Both may be given by ARN; an empty Cluster is the
// one called default.
type Service struct{ Cluster, Service string }

// resource is a kind of thing that IAM can narrow an action to.
type resource int

const (
	everything resource = iota
	repositories
	mirrored
	services
	tasks
	listedTasks
	serviceDeployments
	serviceRevisions
	taskDefinitionTags
	roles
	taskRoles
	logStreams
	artifactObject
	artifactBucket
	principals
	lifecycleBuckets
	sourceObject
	sourceBucket
	pipelines
	cacheObjects
	cacheBucket
	deploymentGroups
	applications
	deploymentConfigs
	ownSecrets
	foreignSecrets
	allSecrets
	parameters
	stacks
	oneOffTasks
	oneOffDefinitions
)

// ecs reports whether a resource is named after ECS services.
func (r resource) ecs() bool {
	return slices.Contains([]resource{services, tasks, listedTasks, serviceDeployments, serviceRevisions, deploymentGroups, applications, oneOffTasks}, r)
}

// on returns the ARNs of a kind of resource, sorted, and the condition that
// narrows them further. The forms are those of the Service Authorization Reference.
func (s Scope) on(r resource) ([]string, Condition) {
	var out []string
	var condition Condition
	switch r {
	case repositories:
		out = s.repositories()
	case mirrored:
		for _, m := range s.Mirrors {
			out = append(out, s.arn("ecr", or(m.Region, s.Region), or(m.Account, s.Account), "repository/"+strings.TrimPrefix(m.Name+"/*", "/")))
		}
	case services:
		out = s.each("service/", "")
	case tasks:
		out = s.clusters("task/", "/*")
	case listedTasks:
		// ListTasks knows container instances as its resources, which Fargate has
		// none of; the cluster is a condition.
		out, condition = []string{"*"}, Condition{"ArnEquals": {"ecs:cluster": s.clusters("cluster/", "")}}
	case oneOffTasks:
		out, condition = s.clusters("task/", "/*"), Condition{"ArnEquals": {"ecs:cluster": s.clusters("cluster/", "")}}
	case oneOffDefinitions:
		for _, family := range s.Before {
			out = append(out, s.arn("ecs", s.Region, s.Account, "task-definition/"+family+":*"))
		}
		condition = Condition{"ArnEquals": {"ecs:cluster": s.clusters("cluster/", "")}}
	case serviceDeployments:
		// AWS's documents disagree whether these are authorized by the service or
		// by its parts: both are allowed.
		out = append(s.each("service/", ""), s.each("service-deployment/", "/*")...)
	case serviceRevisions:
		out = append(s.each("service/", ""), s.each("service-revision/", "/*")...)
	case taskDefinitionTags:
		out = []string{s.arn("ecs", s.Region, s.Account, "task-definition/*:*")}
		condition = Condition{"StringEquals": {"ecs:CreateAction": {"RegisterTaskDefinition"}}}
	case roles:
		out, condition = s.roles(), Condition{"StringEquals": {"iam:PassedToService": {"ecs-tasks.amazonaws.com"}}}
	case logStreams:
		for _, g := range orElse(s.LogGroups, "/ecs/*") {
			out = append(out, s.arn("logs", s.Region, s.Account, "log-group:"+g+":log-stream:*"))
		}
	case principals:
		out = []string{s.caller()}
	case pipelines:
		out = []string{s.arn("codepipeline", s.Region, s.Account, or(s.Pipeline, unknownPipeline))}
	case deploymentGroups, applications, deploymentConfigs:
		out = s.onCodeDeploy(r)
	case taskRoles:
		out = s.roles()
	case everything:
		out = []string{"*"}
	case stacks:
		out = []string{s.stack()}
	case ownSecrets, foreignSecrets, allSecrets, parameters:
		out = s.secrets(r)
	default:
		out, condition = s.onS3(r)
	}
	slices.Sort(out)
	return slices.Compact(out), condition
}

// onCodeDeploy returns the ARNs of resources of CodeDeploy.
func (s Scope) onCodeDeploy(r resource) (out []string) {
	if r == deploymentConfigs {
		return []string{s.arn("codedeploy", s.Region, s.Account, "deploymentconfig:*")}
	}
	for _, g := range orElse(s.DeploymentGroups, unknownApp+"/"+unknownGroup) {
		if r == applications {
			g, _, _ = strings.Cut(g, "/")
			out = append(out, s.arn("codedeploy", s.Region, s.Account, "application:"+g))
			continue
		}
		out = append(out, s.arn("codedeploy", s.Region, s.Account, "deploymentgroup:"+g))
	}
	return out
}

// onS3 returns the ARNs of buckets and objects, and none for other resources.
func (s Scope) onS3(r resource) (out []string, condition Condition) {
	arn := "arn:" + s.partition(s.Region) + ":s3:::"
	switch r {
	case artifactObject:
		out = []string{arn + literal(s.Artifact)}
	case artifactBucket:
		bucket, _, _ := strings.Cut(s.Artifact, "/")
		out = []string{arn + bucket}
	case lifecycleBuckets:
		for _, b := range s.Buckets {
			out = append(out, arn+b)
		}
	case sourceObject:
		out = []string{arn + or(literal(s.Source), unknownBucket+"/KEY")}
	case sourceBucket:
		bucket, key, _ := strings.Cut(s.Source, "/")
		out = []string{arn + or(bucket, unknownBucket)}
		condition = listing(or(literal(key), "KEY"))
	case cacheObjects:
		out = []string{arn + literal(s.Cache) + "*"}
	case cacheBucket:
		bucket, prefix, _ := strings.Cut(s.Cache, "/")
		out = []string{arn + bucket}
		condition = listing(literal(prefix) + "*")
	}
	return out, condition
}

// secrets returns the ARNs of secrets and parameters. Secrets Manager ends an ARN with a
// hyphen and six characters ("Permissions policy examples" in its user guide).
func (s Scope) secrets(r resource) (out []string) {
	if r == parameters {
		for _, p := range s.Parameters {
			if !strings.HasPrefix(p, "arn:") {
				p = s.arn("ssm", s.Region, s.Account, "parameter/"+strings.TrimPrefix(p, "/"))
			}
			out = append(out, p)
		}
		return out
	}
	if r != foreignSecrets {
		names := s.Secrets
		if r == ownSecrets {
			names = orElse(names, unknownSecret)
		}
		for _, name := range names {
			out = append(out, s.arn("secretsmanager", s.Region, s.Account, "secret:"+name+"-??????"))
		}
	}
	if r != ownSecrets {
		out = append(out, s.SecretARNs...)
	}
	return out
}

func (s Scope) arn(service, region, account, rest string) string {
	return "arn:" + s.partition(region) + ":" + service + ":" + or(region, unknownRegion) + ":" + or(account, unknownAccount) + ":" + rest
}

func (s Scope) repositories() []string {
	var out []string
	for _, r := range s.Repositories {
		out = append(out, s.arn("ecr", or(r.Region, s.Region), or(r.Account, s.Account), "repository/"+r.Name))
	}
	if len(out) == 0 {
		out = []string{s.arn("ecr", s.Region, s.Account, "repository/"+unknownRepository)}
	}
	return out
}

// each returns an ARN for each service.
func (s Scope) each(before, after string) []string {
	var out []string
	for _, svc := range s.Services {
		region, account, cluster := s.cluster(svc)
		out = append(out, s.arn("ecs", region, account, before+cluster+"/"+lastPart(svc.Service)+after))
	}
	return out
}

// clusters returns an ARN for each cluster.
func (s Scope) clusters(before, after string) []string {
	var out []string
	for _, svc := range s.Services {
		region, account, cluster := s.cluster(svc)
		out = append(out, s.arn("ecs", region, account, before+cluster+after))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cluster returns the cluster of a service. The ARN of the cluster or of the
// service gives region and account.
func (s Scope) cluster(svc Service) (region, account, name string) {
	region, account, name = s.Region, s.Account, lastPart(or(svc.Cluster, "default"))
	for _, arn := range []string{svc.Service, svc.Cluster} {
		if part := strings.SplitN(arn, ":", 6); len(part) == 6 {
			region, account = part[3], part[4]
		}
	}
	if path := strings.Split(svc.Service, "/"); svc.Cluster == "" && len(path) == 3 {
		name = path[1] // arn:…:service/CLUSTER/SERVICE
	}
	return region, account, name
}

// stack returns the ARN of the stack. Without its unique id, an ARN ends in a wildcard
// ("Controlling CloudFormation access with IAM" in the CloudFormation user guide).
func (s Scope) stack() string {
	if strings.HasPrefix(s.Stack, "arn:") {
		return s.Stack
	}
	return s.arn("cloudformation", s.Region, s.Account, "stack/"+s.Stack+"/*")
}

func (s Scope) roles() []string {
	var out []string
	for _, r := range orElse(s.Roles, unknownRole) {
		out = append(out, s.role(r))
	}
	return out
}

// role returns the ARN of a role that is given by its name or its ARN.
func (s Scope) role(r string) string {
	if strings.HasPrefix(r, "arn:") {
		return r
	}
	return "arn:" + s.partition(s.Region) + ":iam::" + or(s.Account, unknownAccount) + ":role/" + strings.TrimPrefix(r, "/")
}

// caller returns the ARN of the role or user that makes requests about itself.
func (s Scope) caller() string { return s.role(or(s.Caller, unknownCaller)) }

// listing narrows s3:ListBucket to keys. S3 judges a request for an object that is not
// there as a listing of the object's own name: who may not list it gets 403, not 404
// (HeadObject in the S3 API reference; that the prefix then is the object's name,
// github.com/ceph/ceph/pull/68577 found of S3).
func listing(pattern string) Condition {
	return Condition{"StringLike": {"s3:prefix": {pattern}}}
}

// partition returns the partition of a region.
func (s Scope) partition(region string) string {
	if s.Partition != "" {
		return s.Partition
	}
	if p, ok := awsname.PartitionOf(region); ok {
		return p.ID
	}
	return "aws"
}

func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func orElse(list []string, otherwise string) []string {
	if len(list) == 0 {
		return []string{otherwise}
	}
	return list
}
