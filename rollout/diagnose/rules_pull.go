package diagnose

import (
	"regexp"
	"strings"
)

const (
	startText   = `CannotPull|ResourceInitializationError|CannotCreateContainer|CannotStartContainer|fetching secret`
	networkText = `i/o timeout|request canceled|context canceled|context deadline exceeded|connection issue|network configuration|no such host|connection refused|Client\.Timeout|RequestCanceled|send request failed|signal: killed`
	refusedText = `AccessDenied|access denied|not authorized|no basic auth|\b403\b|Forbidden|UnauthorizedOperation|role has the permissions|authorization token has expired|denied:`
)

// pullRules find why an image could not be pulled.
func pullRules() []rule {
	return []rule{
		{
			words: words(`descriptor (matching|for) platform|no match(ing manifest)? for .*(platform|linux|windows)|exec format error|operating system .* cannot be used`),
			logs:  regexp.MustCompile(`exec format error`),
			cause: func(s sign) string {
				return s.theImage() + " is built for another processor architecture or system than the task's: compare the platforms of the build with runtimePlatform in the task definition"
			},
			next: func(s sign) string { return s.definitionCommand("taskDefinition.runtimePlatform") },
		},
		{
			words: words(`toomanyrequests|pull rate limit|too many requests`),
			cause: func(s sign) string {
				return "the registry refused " + s.theImage() + " after too many pulls: use a copy in ECR, such as a pull-through cache, or log in to that registry with repositoryCredentials"
			},
			next: sign.taskCommand,
		},
		{
			words: words(startText, networkText),
			cause: func(s sign) string {
				return "the task cannot reach " + unreachableService(s.text) + ": check its subnets' routes, its public IP or the NAT gateway, the VPC endpoints and the security groups"
			},
			next: sign.taskCommand,
		},
		{
			words: words(`no space left on device`),
			cause: func(s sign) string {
				return "the disk is full: give the task more ephemeral storage, or free the container instance's disk"
			},
			next: sign.taskCommand,
		},
		{
			words: words(`CannotPull|ecr registry auth|registry auth from`, refusedText),
			cause: func(s sign) string {
				return "the registry refused " + s.theImage() + ": check the ECR permissions of the execution role (on EC2 of the instance's role), at the repository's policy, and that the image exists"
			},
			next: func(s sign) string { return s.definitionCommand("taskDefinition.executionRoleArn") },
		},
		{
			words: words(`CannotPull`, `not found|manifest unknown|does not exist|name unknown|failed to resolve ref|whether the image exists|\b404\b`),
			cause: func(s sign) string {
				return s.theImage() + " is not in the registry (expired, deleted or never pushed): deploy a complete revision"
			},
			missingImage: true,
		},
		{
			words: words(`CannotPull`),
			cause: func(s sign) string {
				return s.theImage() + " could not be pulled: see the reason of the stopped tasks"
			},
			next: sign.taskCommand,
		},
	}
}

func unreachableService(text string) string {
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(lower, "log"): // "log group", "logger args"
		return "CloudWatch Logs"
	case strings.Contains(lower, "secretsmanager") || strings.Contains(lower, "secrets manager") || strings.Contains(lower, "from asm"):
		return "Secrets Manager"
	case strings.Contains(lower, "ssm") || strings.Contains(lower, "systems manager"):
		return "Systems Manager's Parameter Store"
	default:
		return "the image registry"
	}
}
