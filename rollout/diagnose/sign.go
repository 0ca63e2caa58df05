package diagnose

import (
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
	"slipway/internal/shell"
)

// sign is one thing that a cause may be read from: a stopped task, an event, or
// ECS's reason for the end.
type sign struct {
	e Evidence
	// text is the message of ECS.
	text string
	// task and the rest are set for stopped tasks only.
	task      *types.Task
	container string
	image     string
	exit      *int32
	log       string
}

// find returns the first match of a pattern in the sign's text, its first group
// if it has one.
func (s sign) find(pattern *regexp.Regexp) string {
	m := pattern.FindStringSubmatch(s.text)
	switch len(m) {
	case 0:
		return ""
	case 1:
		return m[0]
	default:
		return m[1]
	}
}

// theImage names the image that the sign is about, as far as it is known.
func (s sign) theImage() string {
	image := s.image
	if image == "" {
		for _, c := range s.e.Containers {
			if c.Name == s.container {
				image = c.Image
			}
		}
	}
	switch {
	case image != "" && s.container != "":
		return "the image of " + s.container + " (" + image + ")"
	case s.container != "":
		return "the image of " + s.container
	default:
		return "a container's image"
	}
}

// theContainer names the container, or says that there is one.
func (s sign) theContainer() string {
	if s.container == "" {
		return "a container"
	}
	return "container " + s.container
}

// ran says how long the task ran before it stopped, empty where that is not
// known.
func (s sign) ran() string {
	if s.task == nil || s.task.StartedAt == nil {
		return ""
	}
	stop := s.task.ExecutionStoppedAt
	if stop == nil {
		stop = s.task.StoppedAt
	}
	if stop == nil || stop.Before(*s.task.StartedAt) {
		return ""
	}
	seconds := stop.Sub(*s.task.StartedAt).Seconds()
	if seconds < 120 {
		return fmt.Sprintf(", %.0f s after it started", seconds)
	}
	return fmt.Sprintf(", %.0f minutes after it started", seconds/60)
}

// clusterFlag returns the flag that names the cluster to aws, with a space
// before it.
func (e Evidence) clusterFlag(flag string) string {
	if e.Cluster == "" {
		return ""
	}
	return " " + flag + " " + shell.Word(e.Cluster)
}

// taskCommand shows the task, where the sign is one.
func (s sign) taskCommand() string {
	if s.task == nil {
		return ""
	}
	return "aws ecs describe-tasks" + s.e.clusterFlag("--cluster") + " --tasks " + shell.Word(aws.ToString(s.task.TaskArn))
}

// logCommand shows more of the log, else the task.
func (s sign) logCommand() string {
	if s.e.LogCommand != "" {
		return s.e.LogCommand
	}
	return s.taskCommand()
}

// definitionCommand shows a field of the task definition.
func (s sign) definitionCommand(query string) string {
	arn := s.e.TaskDefinition
	if s.task != nil && s.task.TaskDefinitionArn != nil {
		arn = *s.task.TaskDefinitionArn
	}
	if arn == "" {
		return ""
	}
	return "aws ecs describe-task-definition --task-definition " + shell.Word(awsname.LastPart(arn)) + " --query " + shell.Word(query)
}
