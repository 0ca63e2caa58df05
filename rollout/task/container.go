package task

import (
	"fmt"
	"maps"
	"slices"

	"github.com/distribution/reference"

	"slipway/internal/fault"
	"slipway/internal/plain"
	"slipway/project/compose"
)

// translator derives the container of one service.
type translator struct {
	*deriver
	*unit
	group *group
}

// translate derives what depends on the service alone.
func (t *translator) translate() (err error) {
	if t.out.Name, err = compose.ContainerOf(t.ServiceConfig, t.settings); err != nil {
		return err
	}
	for _, step := range []func() error{
		t.keys, t.image, t.process, t.environment, t.secrets, t.resources, t.ports, t.health,
		t.restart, t.stop, t.linux, t.mounts, t.logging, t.deployment,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (t *translator) field(key string) string { return "services." + t.Name + "." + key }

func (t *translator) refuse(key, remedy, format string, args ...any) error {
	return fault.NewInput(t.field(key), fmt.Sprintf(format, args...), remedy)
}

func (t *translator) warn(key, format string, args ...any) {
	t.deriver.warn(t.field(key), format, args...)
}

// image takes the image that the project builds, else the one that the compose file names.
func (t *translator) image() error {
	t.out.Essential, t.out.Image = true, t.Image
	if ref := t.images[t.Name].Ref; t.Build != nil || ref != "" {
		if t.out.Image, t.built = ref, true; ref == "" {
			return t.refuse("x-slipway", "name one with x-slipway.repository, or remove deploy: false", "its image has no repository, and a task is to run it")
		}
		return nil
	}
	if _, err := reference.ParseNormalizedNamed(t.Image); err != nil {
		return t.refuse("image", "check that the variables in it are set", "%q is not an image reference", t.Image)
	}
	return nil
}

// process carries the keys that mean the same in a task definition.
func (t *translator) process() error {
	for key, words := range map[string][]string{"command": t.Command, "entrypoint": t.Entrypoint} {
		if words != nil && len(words) == 0 {
			return t.refuse(key, "write the words, or build an image without it", "is empty, and ECS cannot clear the image's")
		}
	}
	c := &t.out
	c.Command, c.EntryPoint, c.WorkingDirectory, c.User = t.Command, t.Entrypoint, t.WorkingDir, t.User
	c.PseudoTerminal, c.Interactive, c.ReadonlyRootFilesystem = t.Tty, t.StdinOpen, t.ReadOnly
	if len(t.Labels) > 0 {
		c.DockerLabels = t.Labels
	}
	return nil
}

// logDrivers are those that Fargate has (LogConfiguration in the API reference).
var logDrivers = []string{"awslogs", "splunk", "awsfirelens"}

// logging carries the log drivers of Fargate, and sends every other log to the stack's
// group. The defaults of awslogs keep a container from waiting for its log
// ("Send Amazon ECS logs to CloudWatch" in the ECS developer guide).
func (t *translator) logging() error {
	options := map[string]string{logGroupOption: logGroup, logRegionOption: region, "awslogs-stream-prefix": "ecs"}
	log := Log{"awslogs", options}
	t.out.LogConfiguration = &log
	switch driver := t.driver(); {
	case driver == "awslogs":
		maps.Copy(options, t.Logging.Options)
	case slices.Contains(logDrivers, driver):
		log.LogDriver, log.Options = driver, maps.Clone(t.Logging.Options)
	default:
		options["mode"], options["max-buffer-size"] = "non-blocking", "25m"
		if driver != "" {
			t.warn("logging", "has the driver %s, which Fargate does not have: the log goes to CloudWatch; write driver: awslogs, or leave the key out", plain.Text(driver))
		}
	}
	return nil
}

// driver returns the log driver that the service names, docker's default if it has only
// options, and empty if it says nothing.
func (t *translator) driver() string {
	switch {
	case t.Logging == nil:
		return ""
	case t.Logging.Driver == "":
		return "json-file"
	}
	return t.Logging.Driver
}

// architectures are those of Fargate on Linux by their names in compose files
// (RuntimePlatform in the API reference).
var architectures = map[string]string{"amd64": "X86_64", "arm64": "ARM64"}
