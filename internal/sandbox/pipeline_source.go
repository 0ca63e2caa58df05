package sandbox

import (
	"fmt"
	"maps"
)

// pipelineSource is an object on S3, or a branch of a repository.
type pipelineSource struct{ action, bucket, key, repository, branch string }

func sourceOf(a pipelineActionDecl) (pipelineSource, error) {
	required := map[string][]string{
		"S3":                       {"S3Bucket", "S3ObjectKey"},
		"CodeStarSourceConnection": {"ConnectionArn", "FullRepositoryId", "BranchName"},
	}[a.ActionTypeID.Provider]
	if required == nil {
		return pipelineSource{}, &apiError{"InvalidStructureException", "the sandbox knows the sources S3 and CodeStarSourceConnection, not " + a.ActionTypeID.Provider}
	}
	for _, key := range required {
		if a.Configuration[key] == "" {
			return pipelineSource{}, &apiError{"InvalidActionDeclarationException", "Action configuration for action '" + a.Name + "' is missing required configuration '" + key + "'"}
		}
	}
	c := a.Configuration
	return pipelineSource{a.Name, c["S3Bucket"], c["S3ObjectKey"], c["FullRepositoryId"], c["BranchName"]}, nil
}

// Push tells a pipeline in the default region, whose source is a repository, of a commit
// to its branch. It starts an execution.
func (s *Server) Push(pipeline, commit string) error {
	s.pipelines.mu.Lock()
	defer s.pipelines.mu.Unlock()
	p := s.pipelines.all[[2]string{s.options.Region, pipeline}]
	if p == nil || p.source.repository == "" {
		return fmt.Errorf("there is no pipeline %q with a repository for its source", pipeline)
	}
	s.execute(p, commit)
	return nil
}

// execute starts an execution. The caller holds the pipelines' lock.
func (s *Server) execute(p *codePipeline, version string) {
	p.executions = append(p.executions, &codePipelineExecution{
		id: uuid(), server: s, pipeline: p, started: s.clock.Now(), version: version, fates: maps.Clone(s.pipelines.fates),
	})
}

// objectVersion is an object's present version, "" if it has none.
func (s *Server) objectVersion(bucket, key string) string {
	store, ok := s.s3.(*s3)
	if !ok {
		return ""
	}
	o, err := store.backend.HeadObject(bucket, key)
	if err != nil || o == nil || o.IsDeleteMarker {
		return ""
	}
	return string(o.VersionID)
}

// sourceVariables are those of "Variables available for pipeline actions" in the
// CodePipeline user guide.
func (e *codePipelineExecution) sourceVariables() map[string]string {
	s := e.pipeline.source
	if s.repository != "" {
		return map[string]string{"FullRepositoryName": s.repository, "BranchName": s.branch, "CommitId": e.version}
	}
	return map[string]string{"BucketName": s.bucket, "ObjectKey": s.key, "VersionId": e.version}
}

func (e *codePipelineExecution) sourceSummary() string {
	if e.pipeline.source.repository != "" {
		return `{"ProviderType":"GitHub","CommitMessage":""}`
	}
	return "Amazon S3 version id: " + e.version
}
