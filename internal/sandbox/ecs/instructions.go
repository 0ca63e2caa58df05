package ecs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A container does as it is told by a label of its image, or by a variable of
// its environment in the task definition, which wins:
//
//	slipway.sandbox.exit=1         SLIPWAY_SANDBOX_EXIT=1          exits with code 1; "oom" is killed for its memory
//	slipway.sandbox.exit-after=3s  SLIPWAY_SANDBOX_EXIT_AFTER=3s   … that long after its start, 1s if not said
//	slipway.sandbox.stop-after=9m  SLIPWAY_SANDBOX_STOP_AFTER=9m   takes that long to stop after SIGTERM
//	slipway.sandbox.health=never   SLIPWAY_SANDBOX_HEALTH=never    passes no health check, its own or a load balancer's
//	slipway.sandbox.capacity=none  SLIPWAY_SANDBOX_CAPACITY=none   finds no room (also as a tag of the cluster)
//	slipway.sandbox.log=text       SLIPWAY_SANDBOX_LOG=text        writes these lines, to CloudWatch Logs with awslogs
//
// Beyond that, a task fails for what is really so: an image that is missing,
// archived or built for another architecture, a log group that is not there;
// a secret whose valueFrom contains "missing", an execution role whose ARN does.
const instructionPrefix = "slipway.sandbox."

// instruction is what a container was told under a name such as "exit-after".
func (c containerDefinition) instruction(name string, labels map[string]string) string {
	variable := strings.NewReplacer(".", "_", "-", "_").Replace(strings.ToUpper(instructionPrefix + name))
	for _, v := range c.Environment {
		if v.Name == variable {
			return v.Value
		}
	}
	return labels[instructionPrefix+name]
}

// exit is how a container will end by itself.
type exit struct {
	after  time.Duration
	code   int
	reason string
}

// exitOf reads a container's exit; false if it runs on.
func (c containerDefinition) exitOf(labels map[string]string) (exit, bool) {
	text := c.instruction("exit", labels)
	if text == "" {
		return exit{}, false
	}
	out := exit{after: time.Second, code: 1}
	if text == "oom" {
		out.code, out.reason = 137, "OutOfMemoryError: Container killed due to memory usage"
	} else if code, err := strconv.Atoi(text); err == nil {
		out.code = code
	}
	if d, err := time.ParseDuration(c.instruction("exit-after", labels)); err == nil {
		out.after = d
	}
	return out, true
}

// stopReason is an error in ECS's words, which a task shows when it has stopped.
type stopReason string

func (r stopReason) Error() string { return string(r) }

func stopReasonf(format string, args ...any) error { return stopReason(fmt.Sprintf(format, args...)) }

// initError is why a task cannot be set up, before any image is pulled; the
// words are those of "Stopped tasks error messages" in the guide.
func (d *taskDefinition) initError() error {
	if strings.Contains(d.ExecutionRoleArn, "missing") {
		return stopReasonf("ECS was unable to assume the role '%s' that was provided for this task. Please verify that the role being passed "+
			"has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.", d.ExecutionRoleArn)
	}
	for _, c := range d.Containers {
		for _, s := range c.Secrets {
			if strings.Contains(s.ValueFrom, "missing") {
				return secretError(s.ValueFrom)
			}
		}
	}
	return nil
}

func secretError(from string) error {
	if strings.Contains(from, ":secretsmanager:") {
		return stopReasonf("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "+
			"unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret %s from secrets manager: "+
			"ResourceNotFoundException: Secrets Manager can't find the specified secret.", from)
	}
	return stopReasonf("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "+
		"unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: %s", from)
}

// lacksCapacity tells whether a revision's tasks find no capacity. Labels of images
// are looked at by their digests, before anything is pulled.
func (e *region) lacksCapacity(s *service, r *serviceRevision) bool {
	if s.cluster.tags.value(instructionPrefix+"capacity") == "none" {
		return true
	}
	return slices.ContainsFunc(r.definition.Containers, func(c containerDefinition) bool {
		p, err := e.images.Pull(c.Image, r.pinned[c.Name], r.definition.architecture())
		labels := p.Labels
		if err != nil {
			labels = nil
		}
		return c.instruction("capacity", labels) == "none"
	})
}

// writeLogs writes a container's lines as its log driver does. The error is the
// task's stopped reason.
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
	if text := c.definition.instruction("log", c.image.Labels); text != "" {
		lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	err := e.logs.Write(region, o["awslogs-group"], stream, o["awslogs-create-group"] == "true", e.now(), lines)
	if err != nil {
		return stopReasonf("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "+
			"failed to create Cloudwatch log stream: %v", err)
	}
	return nil
}
