package taskdef

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// InstructionPrefix begins the labels of an image that instruct its container how
// to behave. A variable of the environment in the task definition does the same and
// takes precedence:
//
//	slipway.sandbox.exit=1         SLIPWAY_SANDBOX_EXIT=1          exits with code 1; "oom" is killed for its memory
//	slipway.sandbox.exit-after=3s  SLIPWAY_SANDBOX_EXIT_AFTER=3s   … that long after its start, by default 1s
//	slipway.sandbox.stop-after=9m  SLIPWAY_SANDBOX_STOP_AFTER=9m   takes that long to stop after SIGTERM
//	slipway.sandbox.health=never   SLIPWAY_SANDBOX_HEALTH=never    passes no health check, its own or a load balancer's
//	slipway.sandbox.capacity=none  SLIPWAY_SANDBOX_CAPACITY=none   finds no capacity (also as a tag of the cluster)
//	slipway.sandbox.alarm=NAME     SLIPWAY_SANDBOX_ALARM=NAME      sets off this CloudWatch alarm a minute after it is healthy
//	slipway.sandbox.log=text       SLIPWAY_SANDBOX_LOG=text        writes these lines, to CloudWatch Logs with awslogs
//
// The tag slipway.sandbox.zone=us-east-1a of a cluster leaves that zone alone for
// new tasks.
//
// Besides, a task fails for a real reason: an image that is missing, archived or
// built for another architecture, or a missing log group. It also fails for a
// secret or an execution role whose ARN contains "missing".
const InstructionPrefix = "slipway.sandbox."

// Instruction returns the value of a container's instruction such as
// "exit-after", given the labels of its image.
func (c Container) Instruction(name string, labels map[string]string) string {
	variable := strings.NewReplacer(".", "_", "-", "_").Replace(strings.ToUpper(InstructionPrefix + name))
	for _, v := range c.Environment {
		if v.Name == variable {
			return v.Value
		}
	}
	return labels[InstructionPrefix+name]
}

// Exit is the way in which a container ends by itself.
type Exit struct {
	After  time.Duration
	Code   int
	Reason string
}

// Exit returns a container's exit, given the labels of its image; false if it
// runs on.
func (c Container) Exit(labels map[string]string) (Exit, bool) {
	text := c.Instruction("exit", labels)
	if text == "" {
		return Exit{}, false
	}
	out := Exit{After: time.Second, Code: 1}
	if text == "oom" {
		out.Code, out.Reason = 137, "OutOfMemoryError: Container killed due to memory usage"
	} else if code, err := strconv.Atoi(text); err == nil {
		out.Code = code
	}
	if d, err := time.ParseDuration(c.Instruction("exit-after", labels)); err == nil {
		out.After = d
	}
	return out, true
}

// StopAfter returns the time that a container takes to stop after SIGTERM, given
// the labels of its image.
func (c Container) StopAfter(labels map[string]string) time.Duration {
	d, err := time.ParseDuration(c.Instruction("stop-after", labels))
	if err != nil {
		return 0
	}
	return d
}

// stopReason is an error in ECS's words, which a task shows when it has stopped.
type stopReason string

func (r stopReason) Error() string { return string(r) }

func stopReasonf(format string, args ...any) error { return stopReason(fmt.Sprintf(format, args...)) }

// SetupError returns the reason why a task cannot be set up, before any image
// is pulled, in the words of "Stopped tasks error messages" in the guide.
func (s Settings) SetupError() error {
	if strings.Contains(s.ExecutionRoleArn, "missing") {
		return stopReasonf("ECS was unable to assume the role '%s' that was provided for this task. Please verify that the role being passed "+
			"has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.", s.ExecutionRoleArn)
	}
	for _, c := range s.Containers {
		for _, secret := range c.Secrets {
			if strings.Contains(secret.ValueFrom, "missing") {
				return SecretError(secret.ValueFrom)
			}
		}
	}
	return nil
}

// SecretKeyError returns the reason of a stopped task whose secret lacks a key.
func SecretKeyError(key string) error {
	return stopReasonf("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "+
		"unable to retrieve secret from asm: service call has been retried 1 time(s): "+
		"retrieved secret from Secrets Manager did not contain json key %s", key)
}

// SecretError returns the reason of a stopped task whose secret is missing.
func SecretError(from string) error {
	if strings.Contains(from, ":secretsmanager:") {
		return stopReasonf("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "+
			"unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret %s from secrets manager: "+
			"ResourceNotFoundException: Secrets Manager can't find the specified secret.", from)
	}
	return stopReasonf("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "+
		"unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: %s", from)
}
