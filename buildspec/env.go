// Package buildspec reads the environment of a CodeBuild job, and writes and
// checks the buildspec that runs Slipway. It makes no request and keeps no state.
package buildspec

import (
	"regexp"
	"strings"
)

// Env holds the variables of a CodeBuild job. A field is empty if its variable is
// not set. The variables are described under "Environment
// variables in build environments" in the CodeBuild user guide.
type Env struct {
	InCodeBuild bool   // whether this is a CodeBuild job: CODEBUILD_BUILD_ID is set
	BuildID     string // CODEBUILD_BUILD_ID, PROJECT:UUID

	// ResolvedSourceVersion is CODEBUILD_RESOLVED_SOURCE_VERSION: the commit id
	// of a git source, in CodePipeline the revision of the source action. Not set
	// for a plain S3 source.
	ResolvedSourceVersion string
	// SourceVersion is CODEBUILD_SOURCE_VERSION: an S3 object version, a
	// commit, branch or tag, pr/N, or an ARN. See ObjectVersion and
	// Untrusted.
	SourceVersion string
	// WebhookTrigger is CODEBUILD_WEBHOOK_TRIGGER, set if a webhook started the
	// build: branch/NAME, tag/NAME or pr/N.
	WebhookTrigger string
	// WebhookEvent is CODEBUILD_WEBHOOK_EVENT, such as PUSH or
	// PULL_REQUEST_UPDATED.
	WebhookEvent string
	// SourceRepoURL is CODEBUILD_SOURCE_REPO_URL. CodePipeline may leave it
	// empty.
	SourceRepoURL string

	Initiator    string // CODEBUILD_INITIATOR: a user, or codepipeline/NAME
	InPipeline   bool   // whether CodePipeline started the job
	PipelineName string // NAME of the initiator codepipeline/NAME

	SrcDir string // CODEBUILD_SRC_DIR, an absolute path
	Region string // AWS_REGION, else AWS_DEFAULT_REGION
}

// FromEnv returns the variables that lookup finds, which works like os.LookupEnv.
// Surrounding white space is removed.
func FromEnv(lookup func(string) (string, bool)) Env {
	get := func(name string) string {
		v, _ := lookup(name)
		return strings.TrimSpace(v)
	}
	e := Env{
		BuildID:               get("CODEBUILD_BUILD_ID"),
		ResolvedSourceVersion: get("CODEBUILD_RESOLVED_SOURCE_VERSION"),
		SourceVersion:         get("CODEBUILD_SOURCE_VERSION"),
		WebhookTrigger:        get("CODEBUILD_WEBHOOK_TRIGGER"),
		WebhookEvent:          get("CODEBUILD_WEBHOOK_EVENT"),
		SourceRepoURL:         get("CODEBUILD_SOURCE_REPO_URL"),
		Initiator:             get("CODEBUILD_INITIATOR"),
		SrcDir:                get("CODEBUILD_SRC_DIR"),
		Region:                get("AWS_REGION"),
	}
	if e.Region == "" {
		e.Region = get("AWS_DEFAULT_REGION")
	}
	e.InCodeBuild = e.BuildID != ""
	e.PipelineName, e.InPipeline = strings.CutPrefix(e.Initiator, "codepipeline/")
	if !e.InPipeline {
		e.PipelineName = ""
	}
	return e
}

// ObjectVersion returns the S3 object version of the source, or "" if
// SourceVersion is something else. Only an S3 source has one. A branch can have
// the same form, and all its builds would then have the same name, so the address
// of the source decides. In a bucket without versions S3 returns "null", and
// CodePipeline may pass the artifact's ARN: neither is a version.
func (e Env) ObjectVersion() string {
	v := e.SourceVersion
	if v == "null" || strings.HasPrefix(v, "arn:") || !fromS3(e.SourceRepoURL) {
		return ""
	}
	return v
}

// s3ARN is an object's or bucket's ARN in any partition.
var s3ARN = regexp.MustCompile(`^arn:aws[a-z-]*:s3:::`)

// fromS3 accepts both forms of a bucket's address; the guide documents s3://.
func fromS3(url string) bool {
	return strings.HasPrefix(url, "s3://") || s3ARN.MatchString(url)
}
