package ecs

import (
	"fmt"
	"strings"
)

// writeLogs writes a container's lines as its log driver does. The error is the
// reason of a stopped task.
func (e *region) writeLogs(t *task, c *container) error {
	log := c.definition.LogConfiguration
	if log.LogDriver != "awslogs" {
		return nil
	}
	o := log.Options
	region, stream := o["awslogs-region"], c.definition.Name+"/"+t.id
	if region == "" {
		region = e.Region
	}
	if prefix := o["awslogs-stream-prefix"]; prefix != "" {
		stream = prefix + "/" + stream
	}
	var lines []string
	if text := c.definition.Instruction("log", c.image.Labels); text != "" {
		lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	err := e.logs.Write(region, o["awslogs-group"], stream, o["awslogs-create-group"] == "true", e.now(), lines)
	if err != nil {
		return fmt.Errorf("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "+
			"failed to create Cloudwatch log stream: %v", err)
	}
	return nil
}
