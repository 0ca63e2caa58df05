package task

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/platforms"

	"slipway/internal/fault"
)

const (
	mebibyte = 1 << 20
	// unitsPerCPU are the CPU units of a vCPU.
	unitsPerCPU = 1024
	// minMemory is the least memory of a container in MiB (ContainerDefinition in the
	// API reference).
	minMemory = 6
)

// fargate are the sizes of tasks by CPU units, ascending, with the memory in MiB: from
// least to most in steps ("Task CPU and memory" in the ECS developer guide).
var fargate = []struct {
	cpu    int
	memory []int
}{
	{256, []int{512, 1024, 2048}},
	{512, steps(1024, 4096, 1024)},
	{1024, steps(2048, 8192, 1024)},
	{2048, steps(4096, 16384, 1024)},
	{4096, steps(8192, 30720, 1024)},
	{8192, steps(16384, 61440, 4096)},
	{16384, steps(32768, 122880, 8192)},
	{32768, []int{61440, 122880, 249856}},
}

func steps(least, most, step int) (out []int) {
	for n := least; n <= most; n += step {
		out = append(out, n)
	}
	return out
}

// resources carries the limits of CPU and memory, and the reservation of memory.
func (t *translator) resources() (err error) {
	limits, reservations := types.Resource{}, types.Resource{}
	if t.Deploy != nil {
		if t.Deploy.Resources.Limits != nil {
			limits = *t.Deploy.Resources.Limits
		}
		if t.Deploy.Resources.Reservations != nil {
			reservations = *t.Deploy.Resources.Reservations
		}
	}
	if len(limits.Devices)+len(limits.GenericResources)+len(reservations.Devices)+len(reservations.GenericResources) > 0 {
		return t.refuse("deploy.resources", localRemedy("deploy"), "asks for devices, which Fargate does not have")
	}
	if limits.Pids != 0 || reservations.Pids != 0 {
		t.warn("deploy.resources", "has pids, which has no effect on Fargate: remove it")
	}
	cpus := firstOf(float64(limits.NanoCPUs), float64(t.CPUS), float64(reservations.NanoCPUs))
	if reservations.NanoCPUs != 0 && float64(reservations.NanoCPUs) != cpus {
		t.warn("deploy.resources.reservations.cpus", "has no effect next to a limit, which ECS reserves: remove one of the two")
	}
	if !(cpus >= 0 && cpus <= 1<<20) { // which NaN is not either
		key := "deploy.resources"
		if t.CPUS != 0 {
			key = "cpus"
		}
		return t.refuse(key, "write a number of CPUs, such as 0.5", "%v is not a number of CPUs", cpus)
	}
	// Rounded down, the containers of a whole vCPU fit into one.
	if t.out.CPU = int(cpus * unitsPerCPU); cpus > 0 {
		t.out.CPU = max(t.out.CPU, 1)
	}
	if t.out.Memory, err = t.memory("limits", limits.MemoryBytes, "mem_limit", t.MemLimit); err != nil {
		return err
	}
	if t.out.MemoryReservation, err = t.memory("reservations", reservations.MemoryBytes, "mem_reservation", t.MemReservation); err != nil {
		return err
	}
	if t.out.Memory > 0 && t.out.MemoryReservation >= t.out.Memory {
		if t.out.MemoryReservation > t.out.Memory {
			return t.refuse("deploy.resources", "reserve less, or raise the limit", "reserves more memory than its limit of %d MiB", t.out.Memory)
		}
		t.out.MemoryReservation = 0 // ECS takes a reservation below the limit only, and reserves the limit without one
	}
	return nil
}

// firstOf returns the first number that is not 0.
func firstOf(all ...float64) float64 {
	for _, n := range all {
		if n != 0 {
			return n
		}
	}
	return 0
}

// memory returns a size of deploy.resources in MiB, or else that of another key.
func (t *translator) memory(of string, size types.UnitBytes, key string, other types.UnitBytes) (int, error) {
	if size != 0 {
		return t.mebibytes("deploy.resources."+of+".memory", size)
	}
	return t.mebibytes(key, other)
}

// mebibytes returns a size in MiB, rounded up; 0 stays 0.
func (t *translator) mebibytes(key string, size types.UnitBytes) (int, error) {
	n := int(size / mebibyte)
	switch {
	case size < 0:
		return 0, t.refuse(key, "write a size such as 512m", "%d is not a size", size)
	case size%mebibyte > 0:
		n++
	}
	if n > 0 && n < minMemory {
		t.warn(key, "is changed from %d to %d MiB, the least that ECS takes: write %dm", n, minMemory, minMemory)
		n = minMemory
	}
	return n, nil
}

// clamp returns a number within its bounds, with a warning if it was not.
func (t *translator) clamp(key string, n, least, most int, unit string) int {
	bounded := min(max(n, least), most)
	if bounded != n {
		t.warn(key, "is changed from %d to %d %s, since ECS takes %d to %d: write such a number", n, bounded, unit, least, most)
	}
	return bounded
}

// size chooses the smallest task of Fargate that holds the containers.
func (d *deriver) size(g *group, out *Definition) error {
	cpu, memory := 0, 0
	for _, u := range g.services {
		cpu += u.out.CPU
		memory += max(u.out.Memory, u.out.MemoryReservation)
	}
	if g.before == "" {
		cpu = max(cpu, d.task.CPU)
	}
	for _, size := range fargate {
		if size.cpu < cpu {
			continue
		}
		if i := slices.IndexFunc(size.memory, func(m int) bool { return m >= memory }); i >= 0 {
			out.Input.CPU, out.Input.Memory = strconv.Itoa(size.cpu), strconv.Itoa(size.memory[i])
			return nil
		}
	}
	largest := slices.MaxFunc(g.services, func(a, b *unit) int { return cmp.Compare(a.share(), b.share()) })
	return fault.NewInput("services."+largest.Name+".deploy.resources",
		fmt.Sprintf("its task needs %d CPU units and %d MiB, more than Fargate's 32 vCPU and 244 GB", cpu, memory),
		"lower the limits, or run some services in an ECS service of their own with x-slipway.ecs")
}

// share returns the part of Fargate's largest task that a container takes.
func (u *unit) share() float64 {
	most := fargate[len(fargate)-1]
	return max(float64(u.out.CPU)/float64(most.cpu), float64(max(u.out.Memory, u.out.MemoryReservation))/float64(most.memory[len(most.memory)-1]))
}

// platform finds the platform of a task, which all its containers have.
func (d *deriver) platform(g *group, out *Definition) error {
	from := ""
	for _, u := range g.services {
		text := u.Platform
		if u.Build != nil && text == "" && len(u.Build.Platforms) == 1 {
			text = u.Build.Platforms[0]
		}
		if text == "" {
			continue
		}
		p, err := platforms.Parse(text)
		architecture := architectures[p.Architecture]
		where := "services." + u.Name + ".platform"
		if err != nil || p.OS != "linux" || architecture == "" {
			return fault.NewInput(where, fmt.Sprintf("Fargate has no tasks for the platform %q", text), "use linux/amd64 or linux/arm64")
		}
		platform := &Platform{architecture, "LINUX"}
		if out.Input.RuntimePlatform != nil && *out.Input.RuntimePlatform != *platform {
			return fault.NewInput(where, fmt.Sprintf("%s is another platform than that of service %s in the same task", text, from),
				"use one platform, or run it in an ECS service of its own with x-slipway.ecs")
		}
		from, out.Input.RuntimePlatform = u.Name, platform
	}
	return nil
}
