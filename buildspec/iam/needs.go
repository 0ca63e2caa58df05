package iam

import "slices"

// need is a list of actions that some commands use on one kind of resource.
type need struct {
	commands []string
	on       resource
	actions  []string
	// when reports whether a use needs the actions; nil means always.
	when func(Use) bool
}

func (n need) wanted(u Use) bool {
	for _, c := range n.commands {
		// Actions for --rollout are needed by build only with that flag. The flag
		// has no meaning for the other commands.
		if slices.Contains(u.Commands, c) && (n.when == nil || n.when(u)) {
			return true
		}
	}
	return false
}

// Groups of commands with the same needs.
var (
	deploying  = []string{"rollout", "rollback"}
	scaling    = []string{"stop", "start"}
	building   = []string{"build"}
	submitting = []string{"submit"}
	checking   = []string{"doctor"}
	secrets    = []string{"secrets"}
	settling   = []string{"rollout", "task"}
)

// Circumstances.
func always(Use) bool       { return true }
func onECS(u Use) bool      { return len(u.Services) > 0 && !u.NoLatest }
func rollingOut(u Use) bool { return u.Rollout }
func creating(u Use) bool   { return u.CreateService }
func cacheOnS3(u Use) bool  { return u.Cache != "" }
func trusted(u Use) bool    { return !u.Untrusted }
func mirroring(u Use) bool  { return len(u.Mirrors) > 0 }
func scanning(u Use) bool   { return u.RequireScan }
func signing(u Use) bool    { return u.RequireSignature }
func named(u Use) bool      { return u.Named }
func pushing(u Use) bool    { return u.Push }
func stacked(u Use) bool    { return u.Stack != "" }
func managed(u Use) bool    { return len(u.Secrets)+len(u.SecretARNs) > 0 }
func preparing(u Use) bool  { return len(u.Before) > 0 }
func external(u Use) bool   { return len(u.Parameters) > 0 }
func rolling(u Use) bool    { return !u.CodeDeploy }
func codeDeploy(u Use) bool { return u.CodeDeploy }
func both(a, b func(Use) bool) func(Use) bool {
	return func(u Use) bool { return a(u) && b(u) }
}

// Actions of the checks before a deployment.
var (
	scanActions = []string{"ecr:DescribeImageScanFindings", "ecr:BatchGetRepositoryScanningConfiguration"}
	signActions = []string{"ecr:DescribeImageSigningStatus"}
)

// Actions that read the surroundings of task definitions. Values of secrets are left to
// the execution role.
var (
	stackActions  = []string{"cloudformation:DescribeStacks"}
	secretActions = []string{"secretsmanager:DescribeSecret"}
)

// scheduleActions read the tasks that EventBridge starts.
var scheduleActions = []string{"events:ListRules", "events:ListTargetsByRule", "scheduler:GetSchedule", "scheduler:ListSchedules"}

// needs are all actions that slipway uses.
var needs = slices.Concat(
	[]need{
		// Images.
		{commands: building, on: everything, actions: []string{"ecr:GetAuthorizationToken"}},
		{commands: building, on: repositories, actions: []string{
			"ecr:DescribeRepositories", "ecr:BatchGetImage", "ecr:PutImage",
			"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload",
		}},
		{commands: building, on: repositories, when: func(u Use) bool { return !u.NoLatest }, actions: []string{"ecr:DescribeImages", "ecr:GetLifecyclePolicy", "ecr:PutLifecyclePolicy"}},
		{commands: building, on: repositories, when: trusted, actions: []string{"ecr:BatchDeleteImage"}},
		{commands: building, on: repositories, when: func(u Use) bool { return u.CreateRepositories }, actions: []string{"ecr:CreateRepository", "ecr:TagResource"}},
		// A pull-through cache imports an image, and creates its repository, in the name
		// of who pulls it first ("IAM permissions required to sync an upstream
		// registry", ECR user guide). A pull request's images are not for all to pay.
		{commands: building, on: mirrored, when: mirroring, actions: []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}},
		{commands: building, on: mirrored, when: both(mirroring, trusted), actions: []string{"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}},
		{commands: building, on: artifactObject, when: func(u Use) bool { return u.Artifact != "" }, actions: []string{"s3:PutObject"}},
		// Layer caches. Without s3:ListBucket, S3 answers 403 for a missing object.
		{commands: building, on: cacheObjects, when: cacheOnS3, actions: []string{"s3:GetObject"}},
		{commands: building, on: cacheObjects, when: both(cacheOnS3, trusted), actions: []string{"s3:PutObject", "s3:AbortMultipartUpload"}},
		{commands: building, on: cacheBucket, when: cacheOnS3, actions: []string{"s3:ListBucket"}},
		// Retention.
		{commands: []string{"retention"}, on: repositories, actions: []string{"ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:DescribeImages", "ecr:BatchGetImage"}},
		{commands: []string{"retention"}, on: repositories, when: func(u Use) bool { return !u.Preview }, actions: []string{"ecr:PutLifecyclePolicy"}},
		{commands: []string{"retention"}, on: repositories, when: func(u Use) bool { return u.Preview }, actions: []string{"ecr:StartLifecyclePolicyPreview", "ecr:GetLifecyclePolicyPreview"}},
		{commands: []string{"retention"}, on: lifecycleBuckets, when: func(u Use) bool { return len(u.Buckets) > 0 }, actions: []string{"s3:GetLifecycleConfiguration", "s3:ListBucketVersions"}},
		{commands: []string{"retention"}, on: lifecycleBuckets, when: func(u Use) bool { return len(u.Buckets) > 0 && !u.Preview }, actions: []string{"s3:PutLifecycleConfiguration"}},
		// Revisions and services.
		{commands: []string{"revisions", "diff", "status"}, on: repositories, actions: []string{"ecr:DescribeRepositories", "ecr:DescribeImages", "ecr:BatchGetImage"}},
		{commands: []string{"revisions", "status"}, on: repositories, actions: []string{"ecr:GetLifecyclePolicy"}},
		// The recorded inputs of images.
		{commands: []string{"revisions", "diff"}, on: repositories, actions: []string{"ecr:GetDownloadUrlForLayer"}},
		{commands: []string{"revisions"}, on: repositories, actions: []string{"ecr:DescribeImageScanFindings", "ecr:DescribeImageSigningStatus"}},
		{commands: []string{"status"}, on: everything, when: func(u Use) bool { return u.Schedules }, actions: scheduleActions},
		{commands: []string{"status"}, on: logStreams, actions: []string{"logs:GetLogEvents"}},
		{commands: []string{"status"}, on: serviceDeployments, when: rolling, actions: []string{"ecs:DescribeServiceDeployments"}},
		// Running task definitions, which task --diff reads.
		{commands: []string{"task"}, on: services, actions: []string{"ecs:DescribeServices"}},
		{commands: []string{"task"}, on: everything, actions: []string{"ecs:DescribeTaskDefinition"}},
		// What the compose file's settings take from their surroundings.
		{commands: settling, on: stacks, when: stacked, actions: stackActions},
		{commands: building, on: stacks, when: both(rollingOut, stacked), actions: stackActions},
		{commands: settling, on: allSecrets, when: managed, actions: secretActions},
		{commands: building, on: allSecrets, when: both(rollingOut, managed), actions: secretActions},
		// One-off tasks.
		{commands: []string{"rollout"}, on: oneOffDefinitions, when: preparing, actions: []string{"ecs:RunTask"}},
		{commands: building, on: oneOffDefinitions, when: both(rollingOut, preparing), actions: []string{"ecs:RunTask"}},
		{commands: []string{"rollout"}, on: oneOffTasks, when: preparing, actions: []string{"ecs:StopTask"}},
		{commands: building, on: oneOffTasks, when: both(rollingOut, preparing), actions: []string{"ecs:StopTask"}},
		// Tags that a deployment moves.
		{commands: deploying, on: repositories, actions: []string{"ecr:DescribeRepositories", "ecr:DescribeImages", "ecr:BatchGetImage"}},
		{commands: deploying, on: repositories, when: func(u Use) bool { return !u.NoLatest }, actions: []string{"ecr:PutImage", "ecr:BatchDeleteImage"}},
		// What images must pass before.
		{commands: deploying, on: repositories, when: scanning, actions: scanActions},
		{commands: building, on: repositories, when: both(rollingOut, scanning), actions: scanActions},
		{commands: deploying, on: repositories, when: signing, actions: signActions},
		{commands: building, on: repositories, when: both(rollingOut, signing), actions: signActions},
		// Services that do not exist. ECS asks for the load balancer and Cloud Map with
		// its service-linked role ("Using service-linked roles for Amazon ECS" in the
		// developer guide), which the creation of the cluster has made.
		{commands: []string{"rollout"}, on: services, when: creating, actions: []string{"ecs:CreateService"}},
		{commands: building, on: services, when: both(rollingOut, creating), actions: []string{"ecs:CreateService"}},
		// Deployments that wait at a lifecycle hook.
		{commands: []string{"rollout"}, on: serviceDeployments, when: rolling, actions: []string{"ecs:ContinueServiceDeployment"}},
		// Counts.
		{commands: scaling, on: services, actions: []string{"ecs:UpdateService"}},
		{commands: []string{"stop"}, on: services, actions: []string{"ecs:TagResource"}},
		{commands: []string{"start"}, on: services, actions: []string{"ecs:UntagResource"}},
		{commands: scaling, on: everything, actions: []string{"application-autoscaling:DescribeScalableTargets"}},
		// A source. Without s3:ListBucket, S3 answers 403 for a missing object.
		{commands: submitting, on: sourceObject, actions: []string{"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"}},
		{commands: submitting, on: sourceBucket, actions: []string{"s3:ListBucket"}},
		{commands: submitting, on: pipelines, when: func(u Use) bool { return u.Wait }, actions: []string{
			"codepipeline:ListPipelineExecutions", "codepipeline:GetPipelineExecution", "codepipeline:ListActionExecutions",
		}},
	},
	[]need{
		// Secrets. Values are read to compare them; an external secret is described
		// alone.
		{commands: secrets, on: ownSecrets, actions: []string{"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"}},
		{commands: secrets, on: ownSecrets, when: pushing, actions: []string{"secretsmanager:CreateSecret", "secretsmanager:PutSecretValue"}},
		{commands: secrets, on: foreignSecrets, when: func(u Use) bool { return len(u.SecretARNs) > 0 }, actions: []string{"secretsmanager:DescribeSecret"}},
		{commands: slices.Concat(secrets, checking), on: parameters, when: external, actions: []string{"ssm:GetParameters"}},
		{commands: checking, on: allSecrets, when: managed, actions: []string{"secretsmanager:DescribeSecret"}},
		// The checks of doctor.
		{commands: checking, on: everything, actions: []string{"ecr:GetAuthorizationToken"}},
		{commands: checking, on: repositories, actions: []string{
			"ecr:DescribeRepositories", "ecr:DescribeImages", "ecr:BatchGetImage", "ecr:GetLifecyclePolicy", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
		}},
		{commands: checking, on: everything, actions: append([]string{"ecs:DescribeTaskDefinition"}, scheduleActions...)},
		{commands: checking, on: everything, when: onECS, actions: []string{"ecs:DescribeCapacityProviders"}},
		{commands: checking, on: stacks, when: stacked, actions: stackActions},
		{commands: checking, on: everything, when: onECS, actions: []string{"logs:DescribeLogGroups", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"}},
		{commands: checking, on: taskRoles, when: onECS, actions: []string{"iam:GetRole", "iam:SimulatePrincipalPolicy"}},
		{commands: checking, on: principals, actions: []string{"iam:GetRole", "iam:SimulatePrincipalPolicy"}},
		{commands: checking, on: artifactBucket, when: func(u Use) bool { return u.Artifact != "" }, actions: []string{"s3:GetBucketVersioning"}},
	},
	reading(checking, onECS),
	images(building, onECS),
	images([]string{"retention"}, both(onECS, func(u Use) bool { return !u.Preview })),
	reading(building, both(onECS, rollingOut)),
	reading(slices.Concat(deploying, scaling, []string{"status"}), always),
	reading([]string{"revisions", "diff"}, named),
	deployment(deploying, always),
	deployment(building, rollingOut),
)

// images are the digests that services run, as ecs.Images asks for them. Revisions
// and deployments are kept of services that ECS deploys alone.
func images(commands []string, when func(Use) bool) []need {
	return []need{
		{commands: commands, when: when, on: services, actions: []string{"ecs:DescribeServices"}},
		{commands: commands, when: when, on: listedTasks, actions: []string{"ecs:ListTasks"}},
		{commands: commands, when: when, on: tasks, actions: []string{"ecs:DescribeTasks"}},
		{commands: commands, when: both(when, rolling), on: serviceRevisions, actions: []string{"ecs:DescribeServiceRevisions"}},
	}
}

// reading is all of a service, as ecs.Read asks for it.
func reading(commands []string, when func(Use) bool) []need {
	return append(images(commands, when),
		need{commands: commands, when: when, on: everything, actions: []string{"ecs:DescribeTaskDefinition"}},
		need{commands: commands, when: both(when, rolling), on: serviceDeployments, actions: []string{"ecs:ListServiceDeployments"}},
	)
}

// deployment is a deployment, with the wait for its end and its rollback.
func deployment(commands []string, when func(Use) bool) []need {
	ecs, other := both(when, rolling), both(when, codeDeploy)
	return []need{
		{commands: commands, when: when, on: everything, actions: []string{"ecs:RegisterTaskDefinition"}},
		{commands: commands, when: when, on: roles, actions: []string{"iam:PassRole"}},
		{commands: commands, when: both(when, func(u Use) bool { return u.Tags }), on: taskDefinitionTags, actions: []string{"ecs:TagResource"}},
		{commands: commands, when: when, on: logStreams, actions: []string{"logs:GetLogEvents"}},
		{commands: commands, when: ecs, on: services, actions: []string{"ecs:UpdateService"}},
		{commands: commands, when: ecs, on: serviceDeployments, actions: []string{"ecs:DescribeServiceDeployments", "ecs:StopServiceDeployment"}},
		// Old tasks that ECS keeps, and the reason.
		{commands: commands, when: ecs, on: tasks, actions: []string{"ecs:GetTaskProtection"}},
		{commands: commands, when: other, on: deploymentGroups, actions: []string{"codedeploy:CreateDeployment", "codedeploy:GetDeployment", "codedeploy:GetDeploymentGroup", "codedeploy:ListDeployments"}},
		{commands: commands, when: other, on: applications, actions: []string{"codedeploy:RegisterApplicationRevision"}},
		{commands: commands, when: other, on: deploymentConfigs, actions: []string{"codedeploy:GetDeploymentConfig"}},
		{commands: commands, when: other, on: everything, actions: []string{"codedeploy:StopDeployment"}},
	}
}
