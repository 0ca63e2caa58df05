package diagnose

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/shell"
)

var (
	alarms      = regexp.MustCompile(`(?i)\balarms?\b`)
	alarmNames  = regexp.MustCompile(`alarms triggered: ([^;]+)`)
	targetGroup = regexp.MustCompile(`target-group (arn:[^\s)]+)`)
	balancer    = regexp.MustCompile(`\((elb [^)]+|target-group [^)]+)\)`)
	unhealthy   = regexp.MustCompile(`due to \(reason ([^)]+)\)`)
)

// alarmRules find deployments that CloudWatch alarms ended.
func alarmRules() []rule {
	return []rule{
		{
			// Only ECS's reason speaks of alarms this way; log lines and commands
			// do not count.
			code: func(s sign) bool { return s.task == nil && s.text == s.e.Reason && alarms.MatchString(s.text) },
			cause: func(s sign) string {
				return "CloudWatch alarms ended the deployment: check what they measure and whether the new tasks caused it"
			},
			next: func(s sign) string {
				command := "aws cloudwatch describe-alarms --state-value ALARM"
				if list := s.find(alarmNames); list != "" {
					command = "aws cloudwatch describe-alarms --alarm-names"
					for name := range strings.SplitSeq(list, ",") {
						command += " " + shell.Word(strings.TrimSpace(name))
					}
				}
				return command
			},
		},
	}
}

// runRules find why a task stopped or was stopped after it had started.
func runRules() []rule {
	return []rule{
		{
			words: words(`unable to stop or start tasks during a deployment because of the service deployment configuration|maximumPercent [0-9]+ leave no step`),
			cause: func(s sign) string {
				return "minimumHealthyPercent and maximumPercent of the service leave ECS no step with so few tasks: raise maximumPercent"
			},
			next: func(s sign) string {
				return "aws ecs update-service" + s.e.clusterFlag("--cluster") + " --service " + shell.Word(s.e.Service) + " --deployment-configuration maximumPercent=200"
			},
		},
		{
			words: words(`OutOfMemory|due to memory usage`),
			cause: func(s sign) string {
				return s.theContainer() + " exceeded its memory limit: raise memory in the task definition, or find what uses it"
			},
			next: func(s sign) string {
				return s.definitionCommand("taskDefinition.[memory,containerDefinitions[].[name,memory]]")
			},
		},
		{
			words: words(`failed container health checks`),
			cause: func(s sign) string {
				return "the health check of " + s.theContainer() + " in the task definition fails: run its command in the image, and check that startPeriod is long enough"
			},
			next: sign.logCommand,
		},
		{
			words: words(`failed (ELB|load balancer) health checks|is unhealthy in \(?(target-group|elb)`),
			cause: balancerCause,
			next: func(s sign) string {
				if arn := s.find(targetGroup); arn != "" {
					return "aws elbv2 describe-target-health --target-group-arn " + shell.Word(arn)
				}
				return s.taskCommand()
			},
		},
		{
			words: words(`minimumHealthyPercent or maximumPercent`),
			cause: func(s sign) string {
				return "the service's minimumHealthyPercent and maximumPercent do not allow ECS to start or stop a task: raise maximumPercent or lower minimumHealthyPercent"
			},
		},
	}
}

// stopRules find why a task stopped that no other rule explains.
func stopRules() []rule {
	return []rule{
		{
			code: func(s sign) bool {
				return s.task != nil && (s.task.StopCode == types.TaskStopCodeSpotInterruption || s.task.StopCode == types.TaskStopCodeTerminationNotice)
			},
			cause: func(s sign) string {
				return "the capacity was reclaimed (Spot interruption or a terminated instance): deploy again, with some of the tasks on other capacity"
			},
		},
		{
			code: func(s sign) bool { return s.task != nil && s.task.StopCode == types.TaskStopCodeUserInitiated },
			cause: func(s sign) string {
				return "a user or a program stopped the tasks with StopTask: find the caller in CloudTrail"
			},
		},
		{
			code:  func(s sign) bool { return s.exit != nil },
			cause: exitCause,
			next:  sign.logCommand,
		},
	}
}

func balancerCause(s sign) string {
	where := s.find(balancer)
	if where == "" {
		where = "load balancer"
	}
	why := s.find(unhealthy)
	for i := len(s.e.Events) - 1; why == "" && i >= 0; i-- {
		why = sign{text: s.e.Events[i]}.find(unhealthy)
	}
	if why != "" {
		why = " (" + why + ")"
	}
	return "the tasks fail the health checks of the " + where + why + ": check the health check's path and port, the security groups, and whether the grace period is long enough"
}

// exitCause returns the cause for a container that exited. Codes above 128 are
// signals.
func exitCause(s sign) string {
	end := fmt.Sprintf("%s ended with code %d%s", s.theContainer(), *s.exit, s.ran())
	switch *s.exit {
	case 0:
		return end + ": the program of a service must keep running, so check that it stays in the foreground"
	case 126, 127:
		return end + ", which a shell returns for a command that is missing or not executable: check command and entryPoint"
	case 134:
		return end + " (SIGABRT): it aborted, see its last log lines"
	case 137:
		return end + " (SIGKILL): it ran out of memory or did not stop in time, check the task's memory and stopTimeout"
	case 139:
		return end + " (SIGSEGV): the program crashed, check for a library or an architecture that does not match"
	case 143:
		return end + " (SIGTERM): something stopped it, check the events and at the other containers of the task"
	default:
		return end + ": see its last log lines, and compare its environment and secrets with what the new image needs"
	}
}
