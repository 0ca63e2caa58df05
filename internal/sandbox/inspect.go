package sandbox

import (
	"slipway/internal/sandbox/codepipeline"
	"slipway/internal/sandbox/ecr"
	"slipway/internal/sandbox/iam"
)

// Tags returns the digest of each tag of a repository in the default account
// and region, nil if there is no such repository.
func (s *Server) Tags(repository string) map[string]string {
	return s.ecr.Default().Tags(repository)
}

// Digests returns the digests of the images of a repository in the default
// account and region, tagged or not, in order.
func (s *Server) Digests(repository string) []string {
	return s.ecr.Default().Digests(repository)
}

// Children returns the digests that the index of a tag refers to, in its order, in
// the default account and region; nil if there is no such index.
func (s *Server) Children(repository, tag string) []string {
	return s.ecr.Default().Children(repository, tag)
}

// ECRLimits are the quotas of ECR for images, and what its documentation leaves
// open.
type ECRLimits = ecr.Limits

// ECRLimits returns the limits of all registries.
func (s *Server) ECRLimits() ECRLimits { return s.ecr.Limits() }

// SetECRLimits sets the limits of all registries from now on.
func (s *Server) SetECRLimits(l ECRLimits) { s.ecr.SetLimits(l) }

// Repositories returns the names of the repositories of the default account and
// region in order.
func (s *Server) Repositories() []string { return s.ecr.Default().Repositories() }

// Policy returns the text of a repository's lifecycle policy in the default
// account and region, "" if it has none.
func (s *Server) Policy(repository string) string {
	return s.ecr.Default().Policy(repository)
}

// Archive moves an image in the default account and region to the archive
// storage class, from where it cannot be pulled. The error says that there is
// no such image.
func (s *Server) Archive(repository, digest string) error {
	return s.ecr.Default().Archive(repository, digest)
}

// SetScan says what ECR's scan has found in an image of the default account and region.
// The error says that there is no such image.
func (s *Server) SetScan(repository, digest string, scan ecr.Scan) error {
	return s.ecr.Default().SetScan(repository, digest, scan)
}

// SetScanOnPush has images of a repository of the default account and region scanned
// when they are pushed. Nothing is found until SetScan says so.
func (s *Server) SetScanOnPush(repository string, on bool) error {
	return s.ecr.Default().SetScanOnPush(repository, on)
}

// SetSigning says how far ECR's managed signing of an image of the default account and
// region is. The error says that there is no such image.
func (s *Server) SetSigning(repository, digest string, signings ...ecr.Signing) error {
	return s.ecr.Default().SetSigning(repository, digest, signings...)
}

// RunningDigests returns the digests that the running tasks of a service in the
// default region report, by container and in order, one entry for each task;
// nil if there is no such service. An empty cluster is the one called default.
func (s *Server) RunningDigests(cluster, service string) map[string][]string {
	return s.ecs.RunningDigests(s.options.Region, cluster, service)
}

// ECSServices returns the ARNs of the ACTIVE services in the default region, in
// order.
func (s *Server) ECSServices() []string { return s.ecs.ActiveServices(s.options.Region) }

// LogStreams returns the names of the streams of a log group in the default
// region, in order; none if there is no such group.
func (s *Server) LogStreams(group string) []string {
	return s.logs.Streams(s.options.Region, group)
}

// SetRole makes a role of IAM, or replaces the one of that name.
func (s *Server) SetRole(r Role) { s.iam.SetRole(r) }

// Role is a role of IAM.
type Role = iam.Role

// SetCaller changes the caller of all requests. arn is the one that STS
// returns, such as that of an assumed role; entity is the user or role behind
// it, empty for the same.
func (s *Server) SetCaller(arn, entity string) { s.iam.SetCaller(arn, entity) }

// Deny denies actions to the caller, such as "ecr:PutImage" or "iam:*". Without
// actions it allows all again. IAM and the services that speak JSON refuse
// denied actions; the registry, S3 and STS do not.
func (s *Server) Deny(actions ...string) { s.iam.Deny(actions...) }

// PipelineAction is the outcome of an action of a pipeline.
type PipelineAction = codepipeline.Action

// PipelineWork is the execution that an action belongs to.
type PipelineWork = codepipeline.Work

// SetPipelineAction sets the outcome of an action in executions that start from
// now on. Neither the pipeline nor the action has to exist yet.
func (s *Server) SetPipelineAction(pipeline, action string, a PipelineAction) {
	s.pipelines.SetAction(pipeline, action, a)
}

// Push starts an execution of a pipeline in the default region, whose source is
// a repository, for a commit to its branch.
func (s *Server) Push(pipeline, commit string) error {
	return s.pipelines.Push(s.options.Region, pipeline, commit)
}

// SecretValue returns the current value of a secret of Secrets Manager in the
// default region, and the number of its versions; "" and 0 if there is none.
func (s *Server) SecretValue(name string) (value string, versions int) {
	return s.secrets.Value(s.options.Region, name)
}
