package hint

import (
	"slipway/artifact/source"
	"slipway/buildspec/iam"
)

// artifactHint returns the hints for errors of artifact and buildspec.
func artifactHint(err error) string {
	switch e := err.(type) {
	case *iam.UseError:
		return useHint(e.Reason)
	case *source.SecretsError:
		return "move the files out of the directory, list them in .gitignore or .dockerignore and add `--respect-ignore`, or add `--allow-secrets` if they are not secrets"
	case *source.Error:
		return sourceHint(e.Cause)
	default:
		return ""
	}
}

func useHint(r iam.UseReason) string {
	switch r {
	case iam.UntrustedWrites:
		return "leave --rollout, --create-repositories and --artifact out"
	case iam.NoService:
		return "give --cluster CLUSTER --ecs-service SERVICE, or write x-slipway: {ecs: {cluster: CLUSTER, service: SERVICE}} into the compose file"
	default:
		return ""
	}
}

// sourceHint returns the hint for a directory that cannot be sent.
func sourceHint(cause source.Cause) string {
	switch cause {
	case source.Unsendable:
		return "remove or correct these files, or list them in .dockerignore or .gitignore and add `--respect-ignore`"
	case source.TooMuch:
		return "list files that the build does not need in .dockerignore or .gitignore and add `--respect-ignore`"
	case source.NoGit:
		return "install git, or omit `--respect-ignore`"
	case source.GitFailed:
		return "repair the git repository, or omit `--respect-ignore`"
	default:
		return ""
	}
}
