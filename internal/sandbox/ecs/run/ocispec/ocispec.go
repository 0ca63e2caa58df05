// Package ocispec derives the configuration of a container for an OCI runtime from
// its container definition and its image. It makes no request and reads no file.
package ocispec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Input is all that a container's configuration depends on.
type Input struct {
	Definition types.ContainerDefinition
	Image      v1.Config
	// Secrets are variables of the environment with the values of secrets.
	Secrets []Variable
	User    specs.User
	// Rootfs is the container's root directory.
	Rootfs string
	// Hostname is the task's; Network is the path of its network namespace.
	Hostname, Network string
	CgroupsPath       string
	// Memory is the container's limit in bytes, 0 for none.
	Memory int64
	// MaxFiles is the largest number of open files that can be granted.
	MaxFiles uint64
	// Mounts are those of files of the network and of volumes.
	Mounts []specs.Mount
}

// Variable is a variable of the environment.
type Variable struct{ Name, Value string }

// ErrNoCommand means that neither the definition nor the image has a command.
var ErrNoCommand = errors.New("no command specified")

// New returns the configuration.
func New(in Input) (*specs.Spec, error) {
	args := Args(in.Definition, in.Image)
	if len(args) == 0 {
		return nil, ErrNoCommand
	}
	return &specs.Spec{
		Version:  "1.0.2",
		Root:     &specs.Root{Path: in.Rootfs, Readonly: aws.ToBool(in.Definition.ReadonlyRootFilesystem)},
		Hostname: in.Hostname,
		Process: &specs.Process{
			Args: args, Env: environment(in), Cwd: workingDirectory(in), User: in.User,
			Capabilities: capabilities(in.Definition), Rlimits: rlimits(in),
		},
		Mounts: slices.Concat(systemMounts(in.Definition), tmpfs(in.Definition), in.Mounts),
		Linux: &specs.Linux{
			CgroupsPath: in.CgroupsPath, Resources: resources(in),
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.MountNamespace},
				{Type: specs.NetworkNamespace, Path: in.Network},
			},
			MaskedPaths: maskedPaths, ReadonlyPaths: readonlyPaths,
		},
	}, nil
}

// Args returns the command of a container: an entry point of the definition
// replaces the image's and its command
// (https://docs.docker.com/reference/dockerfile/#understand-how-cmd-and-entrypoint-interact).
func Args(d types.ContainerDefinition, image v1.Config) []string {
	entryPoint, command := image.Entrypoint, image.Cmd
	if len(d.EntryPoint) > 0 {
		entryPoint, command = d.EntryPoint, nil
	}
	if len(d.Command) > 0 {
		command = d.Command
	}
	return slices.Concat(entryPoint, command)
}

// HealthCommand returns the command of a container's health check; nil if it has
// none. CMD-SHELL runs in the container's shell (reference of HealthCheck).
func HealthCommand(d types.ContainerDefinition) []string {
	if d.HealthCheck == nil || len(d.HealthCheck.Command) == 0 {
		return nil
	}
	switch kind, rest := d.HealthCheck.Command[0], d.HealthCheck.Command[1:]; kind {
	case "NONE":
		return nil
	case "CMD":
		return rest
	case "CMD-SHELL":
		return append([]string{"/bin/sh", "-c"}, strings.Join(rest, " "))
	default:
		return append([]string{"/bin/sh", "-c"}, strings.Join(d.HealthCheck.Command, " "))
	}
}

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment returns the environment: the definition's variables replace the
// image's, and secrets replace both.
func environment(in Input) []string {
	out := []string{defaultPath, "HOSTNAME=" + in.Hostname}
	set := func(line string) {
		name, _, _ := strings.Cut(line, "=")
		i := slices.IndexFunc(out, func(l string) bool { return strings.HasPrefix(l, name+"=") })
		if i < 0 {
			out = append(out, line)
		} else {
			out[i] = line
		}
	}
	for _, line := range in.Image.Env {
		set(line)
	}
	for _, v := range in.Definition.Environment {
		set(aws.ToString(v.Name) + "=" + aws.ToString(v.Value))
	}
	for _, v := range in.Secrets {
		set(v.Name + "=" + v.Value)
	}
	return out
}

func workingDirectory(in Input) string {
	dir := in.Image.WorkingDir
	if in.Definition.WorkingDirectory != nil {
		dir = *in.Definition.WorkingDirectory
	}
	return path.Join("/", dir)
}

// resources allow the devices that a runtime always allows, and limit the memory.
func resources(in Input) *specs.LinuxResources {
	out := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}}
	if in.Memory > 0 {
		out.Memory = &specs.LinuxMemory{Limit: &in.Memory}
	}
	return out
}

func rlimits(in Input) []specs.POSIXRlimit {
	var out []specs.POSIXRlimit
	for _, u := range in.Definition.Ulimits {
		soft, hard := uint64(u.SoftLimit), uint64(u.HardLimit)
		if u.Name == types.UlimitNameNofile {
			soft, hard = min(soft, in.MaxFiles), min(hard, in.MaxFiles)
		}
		out = append(out, specs.POSIXRlimit{Type: "RLIMIT_" + strings.ToUpper(string(u.Name)), Soft: soft, Hard: hard})
	}
	return out
}

// defaultCapabilities are those of a container of Docker, which ECS gives as well
// (reference of KernelCapabilities).
var defaultCapabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

func capabilities(d types.ContainerDefinition) *specs.LinuxCapabilities {
	set := slices.Clone(defaultCapabilities)
	if d.LinuxParameters != nil && d.LinuxParameters.Capabilities != nil {
		for _, c := range d.LinuxParameters.Capabilities.Drop {
			set = slices.DeleteFunc(set, func(s string) bool { return c == "ALL" || s == capability(c) })
		}
		for _, c := range d.LinuxParameters.Capabilities.Add {
			if !slices.Contains(set, capability(c)) {
				set = append(set, capability(c))
			}
		}
	}
	return &specs.LinuxCapabilities{Bounding: set, Effective: set, Permitted: set}
}

func capability(name string) string {
	return "CAP_" + strings.TrimPrefix(strings.ToUpper(name), "CAP_")
}

// tmpfs returns the tmpfs mounts of a definition.
func tmpfs(d types.ContainerDefinition) (out []specs.Mount) {
	if d.LinuxParameters == nil {
		return nil
	}
	for _, t := range d.LinuxParameters.Tmpfs {
		options := append([]string{"nosuid", "nodev", fmt.Sprintf("size=%dm", t.Size)}, t.MountOptions...)
		out = append(out, specs.Mount{Destination: aws.ToString(t.ContainerPath), Type: "tmpfs", Source: "tmpfs", Options: options})
	}
	return out
}

// systemMounts are those of every container.
func systemMounts(d types.ContainerDefinition) []specs.Mount {
	shared := 64 // Docker's default, in MiB
	if d.LinuxParameters != nil && aws.ToInt32(d.LinuxParameters.SharedMemorySize) > 0 {
		shared = int(*d.LinuxParameters.SharedMemorySize)
	}
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", fmt.Sprintf("size=%dm", shared)}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}},
	}
}

// The paths are those that Docker masks and makes read-only.
var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)
