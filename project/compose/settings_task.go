package compose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// Task is x-slipway.task. Its presence makes the compose file own the settings of
// the task definitions.
type Task struct {
	// Stack is the name or the ARN of the CloudFormation stack whose outputs give
	// roles, log group and network.
	Stack string
	// Entry are the services that receive requests, one for each ECS service in which
	// several publish ports.
	Entry []string
	// CPU is the least size of a task in CPU units, 1024 for a vCPU; 0 leaves it to the
	// containers.
	CPU int
	// Before are the one-off tasks that must succeed before a rollout, in their order.
	Before []string
}

// RunsBefore reports whether a service is a one-off task that runs before a rollout, and
// so no container of an ECS service.
func (s Settings) RunsBefore(service string) bool {
	return s.Task != nil && slices.Contains(s.Task.Before, service)
}

// Local says which keys of a service are for docker compose only.
type Local struct {
	// All leaves the whole service out.
	All bool
	// Keys are keys of the service, such as volumes.
	Keys []string
}

// EFS is the x-slipway.efs of a volume.
type EFS struct {
	// FileSystem is the id of the file system, such as fs-0123456789abcdef0.
	FileSystem string
	// AccessPoint is the id of an access point, such as fsap-0123456789abcdef0; empty
	// for the root of the file system.
	AccessPoint string
}

var (
	// stackName and stackARN are the grammar of CreateStack's reference, StackName.
	stackName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*$`)
	stackARN  = regexp.MustCompile(`^arn:[a-z0-9-]+:cloudformation:\S+$`)
	// outputName is the grammar of a template's logical ids ("Outputs" in the
	// CloudFormation template reference).
	outputName = regexp.MustCompile(`^[a-zA-Z0-9]+$`)
	// keptName is the name of an environment variable, or the start of one and a *.
	keptName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*\*?$`)
	// efsName has the ids of EFS's API reference, FileSystemId and AccessPointId.
	efsName = regexp.MustCompile(`^(fs-[0-9a-f]{1,40})(?:/(fsap-[0-9a-f]{1,40}))?$`)
)

// The lengths of the names of stacks and outputs, in characters. An expression that
// counts them takes a millisecond to compile at each start.
const maxStack, maxOutput = 128, 255

func isStack(name string) bool {
	return stackARN.MatchString(name) || len(name) <= maxStack && stackName.MatchString(name)
}

// task reads x-slipway.task; nil if the key is not there.
func (o object) task() *Task {
	if _, ok := o.fields["task"]; !ok {
		return nil
	}
	m := o.object("task", "stack", "entry", "cpu", "before")
	out := Task{Stack: m.text("stack"), Entry: m.list("entry"), CPU: m.units("cpu"), Before: m.list("before")}
	if out.Stack != "" && !isStack(out.Stack) {
		o.r.fail(m.path+".stack", "write the stack's name or its ARN", "%q is not the name of a CloudFormation stack", out.Stack)
	}
	return &out
}

// local reads the services or the keys that are for docker compose only.
func (o object) local() Local {
	path := o.path + ".local"
	if list, ok := o.fields["local"].([]any); ok && len(list) > 0 {
		out := Local{Keys: o.list("local")}
		for _, key := range out.Keys {
			if serviceField(key) == nil {
				o.r.fail(path, "name keys of the service, such as volumes", "%q is not a key of a service", key)
			}
		}
		return out
	}
	switch v := o.fields["local"].(type) {
	case nil:
		return Local{}
	case bool:
		return Local{All: v}
	default:
		o.r.fail(path, "write true, or a list of the service's keys", "want a boolean or a list of keys, have %s", kindOf(v))
		return Local{}
	}
}

// outputs reads the outputs of a stack by the environment variable that each is for.
func (o object) outputs() map[string]string {
	out := o.texts("outputs")
	for name, output := range out {
		if len(output) > maxOutput || !outputName.MatchString(output) {
			o.r.fail(o.path+".outputs."+name, "write the name of an output of the stack", "%q is not the name of an output", output)
		}
	}
	return out
}

// keep reads the names of variables that others set, such as DD_*.
func (o object) keep() []string {
	out := o.list("keep")
	for _, name := range out {
		if !keptName.MatchString(name) {
			o.r.fail(o.path+".keep", "write names of environment variables, such as DD_SITE or DD_*", "%q is not the name of a variable", name)
		}
	}
	return out
}

// list reads one string or a list of them, each once.
func (o object) list(key string) []string {
	values, ok := o.fields[key].([]any)
	if !ok {
		if s := o.text(key); s != "" {
			return []string{s}
		}
		return nil
	}
	var out []string
	for i, v := range values {
		s, ok := v.(string)
		path := fmt.Sprintf("%s.%s[%d]", o.path, key, i)
		switch {
		case !ok:
			o.r.fail(path, "write it as a string", "want a string, have %s", kindOf(v))
		case s == "" || slices.Contains(out, s):
			o.r.fail(path, "write each name once", "%q is empty or there twice", s)
		}
		out = append(out, s)
	}
	return out
}

// maxUnits are the CPU units of the largest task on Fargate ("Task CPU and memory" in
// the ECS developer guide).
const maxUnits = 32768

// units reads a number of CPU units; 0 if the key is not there.
func (o object) units(key string) int {
	n, ok := o.fields[key].(int)
	switch {
	case o.fields[key] == nil:
	case !ok:
		o.r.fail(o.path+"."+key, "write a number of CPU units, such as 512", "want a whole number, have %s", kindOf(o.fields[key]))
	case n < 1 || n > maxUnits:
		o.r.fail(o.path+"."+key, "write 256 to 32768; 1024 CPU units are one vCPU", "%d is not a size of a task in CPU units", n)
	}
	return n
}

// ReadVolumeSettings reads the x-slipway of a volume at the top of a project, with
// errors as in ReadSettings. The result is zero if the volume has none.
func ReadVolumeSettings(key string, v types.VolumeConfig) (EFS, error) {
	r := reader{path: "volumes." + key + "." + ExtensionKey, value: v.Extensions[ExtensionKey]}
	name := r.object("efs").text("efs")
	m := efsName.FindStringSubmatch(name)
	if name != "" && m == nil {
		r.fail(r.path+".efs", "write the file system, or the file system and an access point: fs-0123/fsap-9",
			"%q is not a file system of EFS", strings.TrimSpace(name))
	}
	if m == nil {
		return EFS{}, r.err
	}
	return EFS{FileSystem: m[1], AccessPoint: m[2]}, r.err
}
