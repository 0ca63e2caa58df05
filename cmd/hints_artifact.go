package cmd

import "slipway/artifact/source"

// artifactHint returns the hints for errors of artifact and buildspec.
func artifactHint(err error) string {
	switch e := err.(type) {
	case *source.SecretsError:
		return "move the files out of the directory, list them in .gitignore or .dockerignore and add `--respect-ignore`, or add `--allow-secrets` if they are not secrets"
	case *source.Error:
		return sourceHint(e.Cause)
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
