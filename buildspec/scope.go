package buildspec

import (
	"slices"
	"strings"
)

// What stands in a policy where something is not known. IAM refuses it or
// allows nothing by it, so that nobody takes it for done.
const (
	unknownRegion     = "REGION"
	unknownAccount    = "ACCOUNT"
	unknownRepository = "REPOSITORY"
	unknownRole       = "ROLE"
	unknownBucket     = "BUCKET"
	unknownPipeline   = "PIPELINE"
)

// Placeholders are the words that stand for what a Scope leaves open.
func Placeholders() []string {
	return []string{unknownRegion, unknownAccount, unknownRepository, unknownRole, unknownBucket, unknownPipeline}
}

// Scope is what commands work on. Empty fields become placeholders.
type Scope struct {
	Partition string // aws, aws-cn …; empty: that of the region
	Region    string // such as eu-west-1
	Account   string // 12 digits
	// Repositories are the project's in ECR.
	Repositories []Repository
	// Services are the project's on ECS.
	Services []Service
	// Artifact is BUCKET/KEY of the definitions' zip, if one is uploaded.
	Artifact string
	// Source is BUCKET/KEY of the source that `submit` sends.
	Source string
	// Pipeline is the name of the one that `submit --wait` follows.
	Pipeline string
	// Cache is BUCKET/PREFIX of the layer caches on S3, if they are there; the prefix is
	// empty or ends in a slash.
	Cache string
	// Buckets are those that `retention` sees to.
	Buckets []string
	// Roles are the names, with their paths, or ARNs of the roles that the task
	// definitions name.
	Roles []string
	// LogGroups are those of the containers. Empty: /ecs/*, the ECS console's.
	LogGroups []string
}

// Repository is one in ECR. Empty Account and Region are the scope's.
type Repository struct{ Account, Region, Name string }

// Service is an ECS service. Both may be given by ARN; an empty Cluster is the
// one called default.
type Service struct{ Cluster, Service string }

// resource is a kind of thing that IAM can narrow an action to.
type resource int

const (
	everything resource = iota
	repositories
	services
	tasks
	listedTasks
	serviceDeployments
	serviceRevisions
	taskDefinitionTags
	roles
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
)

// ecs tells whether a resource is named after ECS services.
func (r resource) ecs() bool {
	return slices.Contains([]resource{services, tasks, listedTasks, serviceDeployments, serviceRevisions, deploymentGroups, applications}, r)
}

// on are the ARNs of a kind of resource, sorted, and the condition that narrows
// them further. The forms are those of the Service Authorization Reference.
func (s Scope) on(r resource) ([]string, Condition) {
	var out []string
	var condition Condition
	switch r {
	case repositories:
		out = s.repositories()
	case services:
		out = s.each("service/", "")
	case tasks:
		out = s.clusters("task/", "/*")
	case listedTasks:
		// ListTasks knows container instances as its resources, which Fargate has
		// none of; the cluster is a condition.
		out, condition = []string{"*"}, Condition{"ArnEquals": {"ecs:cluster": s.clusters("cluster/", "")}}
	case serviceDeployments:
		// Whether these are judged by the service or by what is in it, AWS's
		// documents do not agree on: either is allowed.
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
	case artifactObject:
		out = []string{"arn:" + s.partition(s.Region) + ":s3:::" + s.Artifact}
	case artifactBucket:
		bucket, _, _ := strings.Cut(s.Artifact, "/")
		out = []string{"arn:" + s.partition(s.Region) + ":s3:::" + bucket}
	case principals:
		// Whoever calls asks about himself; GetRole is for roles alone.
		for _, kind := range []string{"role", "user"} {
			out = append(out, "arn:"+s.partition(s.Region)+":iam::"+or(s.Account, unknownAccount)+":"+kind+"/*")
		}
	case lifecycleBuckets:
		for _, b := range s.Buckets {
			out = append(out, "arn:"+s.partition(s.Region)+":s3:::"+b)
		}
	case sourceObject:
		out = []string{"arn:" + s.partition(s.Region) + ":s3:::" + or(s.Source, unknownBucket+"/KEY")}
	case sourceBucket:
		bucket, _, _ := strings.Cut(s.Source, "/")
		out = []string{"arn:" + s.partition(s.Region) + ":s3:::" + or(bucket, unknownBucket)}
	case pipelines:
		out = []string{s.arn("codepipeline", s.Region, s.Account, or(s.Pipeline, unknownPipeline))}
	case cacheObjects:
		out = []string{"arn:" + s.partition(s.Region) + ":s3:::" + s.Cache + "*"}
	case cacheBucket:
		bucket, _, _ := strings.Cut(s.Cache, "/")
		out = []string{"arn:" + s.partition(s.Region) + ":s3:::" + bucket}
	case deploymentGroups:
		// Which application is whose is known only to CodeDeploy.
		out = []string{s.arn("codedeploy", s.Region, s.Account, "deploymentgroup:*/*")}
	case applications:
		out = []string{s.arn("codedeploy", s.Region, s.Account, "application:*")}
	case deploymentConfigs:
		out = []string{s.arn("codedeploy", s.Region, s.Account, "deploymentconfig:*")}
	default:
		out = []string{"*"}
	}
	slices.Sort(out)
	return slices.Compact(out), condition
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

// each is an ARN for each service.
func (s Scope) each(before, after string) []string {
	var out []string
	for _, svc := range s.Services {
		region, account, cluster := s.cluster(svc)
		out = append(out, s.arn("ecs", region, account, before+cluster+"/"+lastPart(svc.Service)+after))
	}
	return out
}

// clusters is an ARN for each cluster.
func (s Scope) clusters(before, after string) []string {
	var out []string
	for _, svc := range s.Services {
		region, account, cluster := s.cluster(svc)
		out = append(out, s.arn("ecs", region, account, before+cluster+after))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cluster is where a service lies: an ARN, the cluster's or the service's own,
// tells region and account.
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

func (s Scope) roles() []string {
	var out []string
	for _, r := range orElse(s.Roles, unknownRole) {
		if !strings.HasPrefix(r, "arn:") {
			r = "arn:" + s.partition(s.Region) + ":iam::" + or(s.Account, unknownAccount) + ":role/" + strings.TrimPrefix(r, "/")
		}
		out = append(out, r)
	}
	return out
}

// partition is that of a region: the prefixes are those of the SDK's partitions.
func (s Scope) partition(region string) string {
	if s.Partition != "" {
		return s.Partition
	}
	for _, p := range [][2]string{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"us-isob-", "aws-iso-b"}, {"us-isof-", "aws-iso-f"}, {"us-iso-", "aws-iso"}, {"eu-isoe-", "aws-iso-e"}, {"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p[0]) {
			return p[1]
		}
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
