package taskdef

import (
	"slices"
	"strconv"
	"strings"
)

// size is a size of tasks on Fargate: its CPU units, and its memory in MiB, from least
// to most in steps.
type size struct{ cpu, least, most, step int }

// sizes are those of "Fargate task CPU and memory" in the guide. Tasks of 32 vCPU have
// one of three memories.
var sizes = []size{
	{256, 512, 512, 1}, {256, 1024, 2048, 1024}, {512, 1024, 4096, 1024}, {1024, 2048, 8192, 1024}, {2048, 4096, 16384, 1024},
	{4096, 8192, 30720, 1024}, {8192, 16384, 61440, 4096}, {16384, 32768, 122880, 8192},
	{32768, 61440, 61440, 1}, {32768, 122880, 122880, 1}, {32768, 249856, 249856, 1},
}

func (s Settings) onFargate() bool { return slices.Contains(s.Requires, "FARGATE") }

// checkFargate applies the rules of "Task definition differences for Fargate" in the
// guide.
func (r request) checkFargate(s Settings) error {
	if !s.onFargate() {
		return nil
	}
	if err := r.checkSize(s); err != nil {
		return err
	}
	switch {
	case s.NetworkMode != "awsvpc":
		return clientError("Fargate only supports network mode ‘awsvpc’.")
	case r.IPCMode != "":
		return unsupported("ipcMode")
	case r.PIDMode != "" && r.PIDMode != "task":
		return unsupported("pidMode " + r.PIDMode)
	case len(r.PlacementConstraints) > 0:
		return unsupported("placementConstraints")
	}
	for _, v := range r.Volumes {
		if v.Host.SourcePath != "" {
			return clientError("host.sourcePath should not be set for volumes in Fargate.")
		}
		if len(v.Docker) > 0 && string(v.Docker) != "null" {
			return unsupported("dockerVolumeConfiguration")
		}
	}
	for _, c := range r.Containers {
		if err := c.checkFargate(); err != nil {
			return err
		}
	}
	return nil
}

func unsupported(what string) error {
	return clientError("Tasks using the Fargate launch type do not support %s.", what)
}

// checkSize checks the size of a task and that its containers fit into it.
func (r request) checkSize(s Settings) error {
	cpu, memory := units(s.CPU, "vcpu"), units(s.Memory, "gb")
	switch {
	case s.CPU == "":
		return clientError("Fargate requires that 'cpu' be defined at the task level.")
	case s.Memory == "":
		return clientError("Fargate requires that 'memory' be defined at the task level.")
	case cpu == 0:
		return clientError("Invalid 'cpu' setting for task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.")
	case !slices.ContainsFunc(sizes, func(f size) bool {
		return f.cpu == cpu && memory >= f.least && memory <= f.most && (memory-f.least)%f.step == 0
	}):
		return clientError("No Fargate configuration exists for given values: %s CPU, %s memory. See the Amazon ECS documentation for the valid values.", s.CPU, s.Memory)
	}
	var usedCPU, usedMemory int
	for _, c := range r.Containers {
		usedCPU += c.CPU
		if c.MemoryReservation > 0 {
			usedMemory += c.MemoryReservation
		} else {
			usedMemory += c.Memory
		}
		if c.Memory > memory {
			return c.invalid("'memory' cannot be greater than the value of the task 'memory'.")
		}
	}
	if usedCPU > cpu {
		return clientError("The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.")
	}
	if usedMemory > memory {
		return clientError("The sum of the memory reserved for all containers cannot be greater than the value of the task 'memory'.")
	}
	return nil
}

// units returns a number of units, of which 1024 are one of the larger unit: "512" and
// "0.5 GB" are 512. It is 0 for any other text.
func units(text, larger string) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	number, ok := strings.CutSuffix(strings.ToLower(text), larger)
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil {
		return 0
	}
	return int(n * 1024)
}

func (c container) checkFargate() error {
	for _, name := range c.Linux.Capabilities.Add {
		if name != "SYS_PTRACE" {
			return unsupported("adding the Linux capability " + name)
		}
	}
	if driver := c.LogConfiguration.LogDriver; driver != "" && !slices.Contains([]string{"awslogs", "splunk", "awsfirelens"}, driver) {
		return unsupported("the log driver " + driver)
	}
	if outside(c.StopTimeout, 2, 120) {
		return c.invalid("stopTimeout must be between 2 and 120 on Fargate.")
	}
	for _, x := range []struct {
		name    string
		present bool
	}{
		{"privileged containers", c.Privileged},
		{"devices", len(c.Linux.Devices) > 0},
		{"sharedMemorySize", c.Linux.SharedMemorySize > 0},
		{"maxSwap", c.Linux.MaxSwap > 0},
		{"swappiness", c.Linux.Swappiness != nil},
		{"dockerSecurityOptions", len(c.SecurityOptions) > 0},
		{"resourceRequirements of the type GPU", slices.ContainsFunc(c.ResourceRequirements, func(r struct{ Type string }) bool { return r.Type == "GPU" })},
	} {
		if x.present {
			return unsupported(x.name)
		}
	}
	return nil
}

// checkRole checks that Fargate has a role with which it pulls images and writes logs.
func checkRole(s Settings, ofECR func(image string) bool) error {
	if !s.onFargate() || s.ExecutionRoleArn != "" {
		return nil
	}
	for _, c := range s.Containers {
		switch {
		case ofECR(c.Image):
			return clientError("Fargate requires task definition to have execution role ARN to support ECR images.")
		case c.LogConfiguration.LogDriver == "awslogs":
			return clientError("Fargate requires task definition to have execution role ARN to support log driver awslogs.")
		}
	}
	return nil
}
