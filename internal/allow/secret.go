package allow

import (
	"slices"
	"strings"
)

// secretNames and secretPrefixes are the variables in which CI systems and the
// AWS SDKs put credentials that were not put there for a build. Tokens that a
// person adds by hand, as NPM_TOKEN or GITHUB_TOKEN, are meant for it.
//
// Sources: "AWS SDKs and Tools Reference Guide", environment variables; "Container
// credential provider" there; "Environment variables in build environments" in the
// AWS CodeBuild User Guide; "OpenID Connect reference" in GitHub's documentation of
// Actions; "Environment variables" of the docker CLI.
var (
	secretNames = []string{
		"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY",
		"AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "CODEBUILD_AUTH_TOKEN", "DOCKER_AUTH_CONFIG",
		"ACTIONS_RUNTIME_TOKEN",
	}
	secretPrefixes = []string{
		"AWS_CONTAINER_", "AWS_WEB_IDENTITY_", "AWS_BEARER_TOKEN_", "ACTIONS_ID_TOKEN_REQUEST_",
	}
)

// Secret reports whether a variable holds credentials, or leads to them.
func Secret(name string) bool {
	if slices.Contains(secretNames, name) {
		return true
	}
	return slices.ContainsFunc(secretPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}
