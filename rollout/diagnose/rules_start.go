package diagnose

import (
	"regexp"
	"strings"

	"slipway/internal/awsname"
	"slipway/internal/shell"
)

var (
	roleARN    = regexp.MustCompile(`arn:aws[a-z-]*:iam::[0-9]*:role/([^\s',;)]+)`)
	secretARN  = regexp.MustCompile(`arn:aws[a-z-]*:(?:secretsmanager|ssm):[^\s,;)\]]+`)
	executable = regexp.MustCompile(`exec: \\?"([^"\\]+)\\?"`)
)

// startRules find why a task or a container did not start.
func startRules() []rule {
	return []rule{
		{
			words: words(`unable to assume (the |a )?(service linked )?role|is not authorized to perform: sts:AssumeRole|proper trust relationship`),
			cause: func(s sign) string {
				return "ECS could not assume " + roleIn(s) + ": it does not exist, or its trust policy does not allow ecs-tasks.amazonaws.com"
			},
			next: func(s sign) string {
				if name := s.find(roleARN); name != "" {
					return "aws iam get-role --role-name " + shell.Word(awsname.LastPart(name))
				}
				return s.definitionCommand("taskDefinition.[executionRoleArn,taskRoleArn]")
			},
		},
		{
			words: words(`log ?group|log ?stream|logging driver|logger args|\blogs:[A-Z]`, startText+`|CannotInspect|failed to`),
			cause: logCause,
			next:  logGroupCommand,
		},
		{
			words: words(`secret|\bssm\b|parameter store|invalid (ssm )?parameters`, startText+`|unable to (pull|retrieve|fetch)`),
			cause: secretCause,
			next:  secretCommand,
		},
		{
			words: words(`port is already allocated|address already in use|already using a port|RESOURCE:PORTS`),
			logs:  regexp.MustCompile(`(?i)address already in use|EADDRINUSE`),
			cause: func(s sign) string {
				return "a port that " + s.theContainer() + " needs is in use: check the host ports in the task definition, and at other containers of the task that listen on the same one"
			},
			next: func(s sign) string {
				return s.definitionCommand("taskDefinition.containerDefinitions[].[name,portMappings]")
			},
		},
		{
			words: words(`executable file not found|exec: .*(no such file|permission denied|is a directory)|stat .*no such file`),
			logs:  regexp.MustCompile(`executable file not found`),
			cause: func(s sign) string {
				command := s.find(executable)
				if command != "" {
					command = " (" + command + ")"
				}
				return s.theContainer() + " has no such command" + command + ": check command and entryPoint in the task definition and at the image's own"
			},
			next: func(s sign) string {
				return s.definitionCommand("taskDefinition.containerDefinitions[].[name,entryPoint,command]")
			},
		},
		{
			words: words(`\bEFS\b|CannotCreateVolumeError|mount`, startText+`|CannotCreateVolume`),
			cause: func(s sign) string {
				return "a volume could not be mounted: check the file system, its mount targets and security groups, and the task role"
			},
			next: func(s sign) string { return s.definitionCommand("taskDefinition.volumes") },
		},
	}
}

func roleIn(s sign) string {
	if role := s.find(roleARN); role != "" {
		return "the role " + awsname.LastPart(role)
	}
	return "a role of the task definition"
}

func logCause(s sign) string {
	if regexp.MustCompile("(?i)" + refusedText).MatchString(s.text) {
		return "the execution role may not write to the log group: it needs logs:CreateLogStream and logs:PutLogEvents, and with awslogs-create-group also logs:CreateLogGroup"
	}
	return "the log group of " + s.theContainer() + " is missing or its log options are wrong: create the group, or check logConfiguration in the task definition"
}

func logGroupCommand(s sign) string {
	for _, c := range s.e.Containers {
		if group := c.LogOptions["awslogs-group"]; group != "" && (c.Name == s.container || s.container == "") {
			return "aws logs describe-log-groups --log-group-name-prefix " + shell.Word(group)
		}
	}
	return s.definitionCommand("taskDefinition.containerDefinitions[].[name,logConfiguration]")
}

func secretCause(s sign) string {
	secret := s.find(secretARN)
	if secret != "" {
		secret = " (" + secret + ")"
	}
	if regexp.MustCompile("(?i)" + refusedText).MatchString(s.text) {
		return "the execution role may not read a secret" + secret + " of the task definition: it needs secretsmanager:GetSecretValue or ssm:GetParameters, and kms:Decrypt for a customer managed key"
	}
	return "a secret" + secret + " of the task definition is missing: check its name, its key and the region"
}

func secretCommand(s sign) string {
	arn := s.find(secretARN)
	if strings.Contains(arn, ":secretsmanager:") {
		return "aws secretsmanager describe-secret --secret-id " + shell.Word(arn)
	}
	return s.definitionCommand("taskDefinition.containerDefinitions[].[name,secrets]")
}
