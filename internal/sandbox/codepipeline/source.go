package codepipeline

import (
	"fmt"
	"maps"

	"slipway/internal/sandbox/awsapi"
)

// source is an object on S3, or a branch of a repository.
type source struct{ action, bucket, key, repository, branch string }

func sourceOf(a actionDeclaration) (source, error) {
	required := map[string][]string{
		"S3":                       {"S3Bucket", "S3ObjectKey"},
		"CodeStarSourceConnection": {"ConnectionArn", "FullRepositoryId", "BranchName"},
	}[a.ActionTypeID.Provider]
	if required == nil {
		return source{}, awsapi.NewError("InvalidStructureException",
			"the sandbox knows the sources S3 and CodeStarSourceConnection, not "+a.ActionTypeID.Provider)
	}
	for _, key := range required {
		if a.Configuration[key] == "" {
			return source{}, awsapi.NewError("InvalidActionDeclarationException",
				"Action configuration for action '"+a.Name+"' is missing required configuration '"+key+"'")
		}
	}
	c := a.Configuration
	return source{a.Name, c["S3Bucket"], c["S3ObjectKey"], c["FullRepositoryId"], c["BranchName"]}, nil
}

// Push starts an execution of a pipeline whose source is a repository, for a
// commit to its branch.
func (p *Pipelines) Push(region, pipeline, commit string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.all[pipelineKey{region, pipeline}]
	if found == nil || found.source.repository == "" {
		return fmt.Errorf("there is no pipeline %q with a repository for its source", pipeline)
	}
	p.execute(found, commit)
	return nil
}

// execute starts an execution of a pipeline. The caller holds mu.
func (p *Pipelines) execute(of *pipeline, version string) {
	of.executions = append(of.executions, &execution{
		id: awsapi.UUID(), owner: p, pipeline: of, started: p.clock.Now(), version: version, outcomes: maps.Clone(p.outcomes),
	})
}

// sourceVariables returns the variables of a source action, those of "Variables
// available for pipeline actions" in the CodePipeline user guide.
func (e *execution) sourceVariables() map[string]string {
	s := e.pipeline.source
	if s.repository != "" {
		return map[string]string{"FullRepositoryName": s.repository, "BranchName": s.branch, "CommitId": e.version}
	}
	return map[string]string{"BucketName": s.bucket, "ObjectKey": s.key, "VersionId": e.version}
}

func (e *execution) sourceSummary() string {
	if e.pipeline.source.repository != "" {
		return `{"ProviderType":"GitHub","CommitMessage":""}`
	}
	return "Amazon S3 version id: " + e.version
}
