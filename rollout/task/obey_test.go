package task_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"slipway/rollout/task"
)

// memories are the bounds of a task's memory in MiB by its CPU units.
var memories = map[int][2]int{
	256: {512, 2048}, 512: {1024, 4096}, 1024: {2048, 8192}, 2048: {4096, 16384}, 4096: {8192, 30720},
	8192: {16384, 61440}, 16384: {32768, 122880}, 32768: {61440, 249856},
}

var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// obey fails the test if Fargate would refuse a definition. It knows the rules that
// RegisterTaskDefinition's reference has, apart from the code that it checks.
func obey(t *testing.T, d task.Definition) {
	t.Helper()
	in := d.Input
	check := func(ok bool, rule string) {
		if !ok {
			text, err := task.JSON(in)
			t.Errorf("the definition breaks a rule: %s\n%s (%v)", rule, text, err)
		}
	}
	cpu, _ := strconv.Atoi(in.CPU)
	memory, _ := strconv.Atoi(in.Memory)
	bounds := memories[cpu]
	check(memory >= bounds[0] && memory <= bounds[1] && bounds[0] > 0, "a size of Fargate")
	check(name.MatchString(in.Family), "letters of a family")
	check(in.NetworkMode == "awsvpc" && slices.Equal(in.RequiresCompatibilities, []string{"FARGATE"}), "Fargate's network")
	check(in.ExecutionRoleARN != "", "an execution role")
	check(len(in.Containers) >= 1 && len(in.Containers) <= 10, "1 to 10 containers")
	check(len(d.Services) == len(in.Containers), "a service for each container")
	check(slices.ContainsFunc(in.Containers, func(c task.Container) bool { return c.Essential }), "an essential container")
	check(d.Before != "" || d.Create.MaximumPercent > d.Create.MinimumHealthyPercent && d.Create.MinimumHealthyPercent >= 0, "a deployment that can go on")
	var names, ports, volumes []string
	var sum, reserved int
	byName := map[string]task.Container{}
	for _, v := range in.Volumes {
		volumes = append(volumes, v.Name)
	}
	for _, c := range in.Containers {
		names, byName[c.Name] = append(names, c.Name), c
		sum, reserved = sum+c.CPU, reserved+max(c.Memory, c.MemoryReservation)
		for _, p := range c.PortMappings {
			ports = append(ports, strconv.Itoa(p.ContainerPort)+p.Protocol)
			check(p.ContainerPort >= 1 && p.ContainerPort <= 65535 && (p.Protocol == "tcp" || p.Protocol == "udp"), "ports")
		}
		for _, m := range c.MountPoints {
			check(slices.Contains(volumes, m.SourceVolume) && strings.HasPrefix(m.ContainerPath, "/"), "volumes of the task")
		}
		obeyContainer(check, c)
	}
	check(distinct(names) && distinct(ports) && distinct(volumes), "different names, ports and volumes")
	check(sum <= cpu && reserved <= memory, "a task that holds its containers")
	for _, c := range in.Containers {
		for _, on := range c.DependsOn {
			target, ok := byName[on.ContainerName]
			check(ok && on.ContainerName != c.Name, "dependencies in the task")
			check(on.Condition != "HEALTHY" || target.HealthCheck != nil, "HEALTHY needs a health check")
			check(on.Condition != "SUCCESS" || !target.Essential, "SUCCESS needs a container that is not essential")
			check(slices.Contains([]string{"START", "HEALTHY", "SUCCESS"}, on.Condition), "conditions")
		}
	}
	check(d.Entry == nil || slices.ContainsFunc(byName[d.Entry.Container].PortMappings, func(p task.PortMapping) bool { return p.ContainerPort == d.Entry.Port }), "an entry with its port")
}

// obeyContainer checks what concerns one container.
func obeyContainer(check func(bool, string), c task.Container) {
	within := func(n, least, most int) bool { return n >= least && n <= most }
	check(name.MatchString(c.Name) && c.Image != "", "a name and an image")
	check(c.Memory == 0 || c.Memory >= 6 && c.MemoryReservation < c.Memory, "memory")
	check(c.StopTimeout == 0 || within(c.StopTimeout, 2, 120), "the stop timeout")
	if h := c.HealthCheck; h != nil {
		check(within(h.Interval, 5, 300) && within(h.Timeout, 2, 60) && within(h.Retries, 1, 10) && within(h.StartPeriod, 0, 300), "bounds of the health check")
		check(len(h.Command) > 1 && (h.Command[0] == "CMD" || h.Command[0] == "CMD-SHELL"), "command of the health check")
	}
	if p := c.RestartPolicy; p != nil {
		check(p.Enabled && (p.RestartAttemptPeriod == 0 || within(p.RestartAttemptPeriod, 60, 1800)), "the restart policy")
	}
	var variables []string
	for _, v := range c.Environment {
		variables = append(variables, v.Name)
		check(!strings.Contains(v.Value, "/run/secrets/"), "no files of secrets")
	}
	check(slices.IsSorted(variables), "a sorted environment")
	for _, s := range c.Secrets {
		variables = append(variables, s.Name)
	}
	check(distinct(variables), "each variable once")
	for _, u := range c.Ulimits {
		check(u.SoftLimit >= -1 && (u.HardLimit == -1 || u.SoftLimit <= u.HardLimit), "limits")
	}
	if l := c.LinuxParameters; l != nil {
		check(l.Capabilities == nil || len(l.Capabilities.Add) == 0 || slices.Equal(l.Capabilities.Add, []string{"SYS_PTRACE"}), "capabilities of Fargate")
		for _, f := range l.Tmpfs {
			check(f.Size > 0 && strings.HasPrefix(f.ContainerPath, "/"), "sizes of tmpfs")
		}
	}
	check(c.LogConfiguration != nil && slices.Contains([]string{"awslogs", "splunk", "awsfirelens"}, c.LogConfiguration.LogDriver), "log drivers of Fargate")
}

func distinct(list []string) bool {
	sorted := slices.Sorted(slices.Values(list))
	return len(slices.Compact(sorted)) == len(list)
}
