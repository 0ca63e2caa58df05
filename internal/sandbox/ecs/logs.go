package ecs

import (
	"fmt"
	"strings"
	"time"
)

// writeLogs writes the lines that a container is instructed to write. The error
// is the reason of a stopped task.
func (e *region) writeLogs(t *task, c *container) error {
	var lines []string
	if text := c.definition.Instruction("log", c.image.Labels); text != "" && e.runner == nil {
		lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	if err := e.write(t, c, e.now(), lines); err != nil {
		return fmt.Errorf("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "+
			"failed to create Cloudwatch log stream: %v", err)
	}
	return nil
}

// write writes lines of a container as its log driver does.
func (e *region) write(t *task, c *container, at time.Time, lines []string) error {
	s, ok := c.definition.LogStream(e.Region, t.id)
	if !ok {
		return nil
	}
	return e.logs.Write(s.Region, s.Group, s.Name, s.CreateGroup, at, lines)
}
