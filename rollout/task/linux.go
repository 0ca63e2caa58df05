package task

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/go-units"
)

var (
	// ulimits are the names of Ulimit in the API reference.
	ulimits = strings.Fields("core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack")
	// capabilities are those of KernelCapabilities in the API reference.
	capabilities = strings.Fields("ALL AUDIT_CONTROL AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID " +
		"IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST " +
		"NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE " +
		"SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM")
	// mountOptions are those of Tmpfs in the API reference.
	mountOptions = strings.Fields("defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime " +
		"diratime nodiratime bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime norelatime " +
		"strictatime nostrictatime mode uid gid nr_inodes nr_blocks mpol")
	// sysctl are the kernel parameters of a network or an IPC namespace (SystemControl in
	// the API reference).
	sysctl = regexp.MustCompile(`^(net\.[a-zA-Z0-9_.-]+|kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\.[a-z_]+)$`)
)

// fargateCapability is the only capability that a container on Fargate can add
// (KernelCapabilities in the API reference).
const fargateCapability = "SYS_PTRACE"

// linux carries the limits and the privileges of the container's processes.
func (t *translator) linux() error {
	for _, name := range slices.Sorted(maps.Keys(t.Ulimits)) {
		u := t.Ulimits[name]
		if !slices.Contains(ulimits, name) || u == nil {
			return t.refuse("ulimits."+name, "use one of "+strings.Join(ulimits, ", "), "ECS has no such limit")
		}
		limit := Ulimit{name, u.Soft, u.Hard}
		if u.Single != 0 {
			limit.SoftLimit, limit.HardLimit = u.Single, u.Single
		}
		if limit.SoftLimit < -1 || limit.HardLimit < -1 || limit.HardLimit >= 0 && limit.SoftLimit > limit.HardLimit {
			return t.refuse("ulimits."+name, "write a soft limit that is not above the hard limit", "%d and %d are not limits", limit.SoftLimit, limit.HardLimit)
		}
		t.out.Ulimits = append(t.out.Ulimits, limit)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Sysctls)) {
		if !sysctl.MatchString(name) {
			return t.refuse("sysctls."+name, localRemedy("sysctls"), "ECS has no such kernel parameter: it has those of the network and of IPC")
		}
		t.out.SystemControls = append(t.out.SystemControls, SystemControl{name, t.Sysctls[name]})
	}
	return t.parameters()
}

// parameters carries what is a Linux parameter to ECS.
func (t *translator) parameters() (err error) {
	out := Linux{InitProcessEnabled: t.Init != nil && *t.Init}
	caps := Capabilities{}
	if caps.Add, err = t.capabilities("cap_add", t.CapAdd, []string{fargateCapability}); err != nil {
		return err
	}
	if caps.Drop, err = t.capabilities("cap_drop", t.CapDrop, capabilities); err != nil {
		return err
	}
	if len(caps.Add)+len(caps.Drop) > 0 {
		out.Capabilities = &caps
	}
	for _, text := range t.Tmpfs {
		containerPath, options, _ := strings.Cut(text, ":")
		if err := t.addTmpfs(&out, "tmpfs", containerPath, options); err != nil {
			return err
		}
	}
	for _, v := range t.Volumes {
		if v.Type == types.VolumeTypeTmpfs {
			if err := t.addTmpfs(&out, "volumes", v.Target, tmpfsOptions(v)); err != nil {
				return err
			}
		}
	}
	if out.InitProcessEnabled || out.Capabilities != nil || out.Tmpfs != nil {
		t.out.LinuxParameters = &out
	}
	return nil
}

// capabilities returns the names of capabilities as ECS writes them, sorted.
func (t *translator) capabilities(key string, list, known []string) (out []string, err error) {
	for _, name := range list {
		short := strings.TrimPrefix(strings.ToUpper(name), "CAP_")
		if !slices.Contains(known, short) {
			return nil, t.refuse(key, localRemedy(key), "%q cannot be carried out: Fargate knows %s", name, strings.Join(known, ", "))
		}
		out = append(out, short)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// tmpfsOptions returns the options of a volume of the type tmpfs as tmpfs has them.
func tmpfsOptions(v types.ServiceVolumeConfig) string {
	var options []string
	if v.ReadOnly {
		options = append(options, "ro")
	}
	if v.Tmpfs != nil && v.Tmpfs.Size > 0 {
		options = append(options, fmt.Sprintf("size=%d", v.Tmpfs.Size))
	}
	if v.Tmpfs != nil && v.Tmpfs.Mode > 0 {
		options = append(options, fmt.Sprintf("mode=%o", v.Tmpfs.Mode))
	}
	return strings.Join(options, ",")
}

// defaultTmpfs is the size in MiB of a tmpfs that has none in the compose file: ECS
// requires a size.
const defaultTmpfs = 64

// addTmpfs adds a file system in memory. Fargate has them since January 2026.
func (t *translator) addTmpfs(out *Linux, key, containerPath, options string) error {
	if !path.IsAbs(containerPath) || slices.ContainsFunc(out.Tmpfs, func(f Tmpfs) bool { return f.ContainerPath == containerPath }) {
		return t.refuse(key, "write each path once, from /", "%q is not a path, or is there twice", containerPath)
	}
	f := Tmpfs{ContainerPath: containerPath}
	for option := range strings.SplitSeq(options, ",") {
		name, value, _ := strings.Cut(option, "=")
		switch {
		case option == "":
		case name == "size":
			size, err := units.RAMInBytes(value)
			if err != nil || size <= 0 {
				return t.refuse(key, "write a size such as 64m", "%q is not a size", value)
			}
			f.Size = int((size + mebibyte - 1) / mebibyte)
		case slices.Contains(mountOptions, name):
			f.MountOptions = append(f.MountOptions, option)
		default:
			return t.refuse(key, "use one of "+strings.Join(mountOptions, ", "), "%q is not a mount option on ECS", option)
		}
	}
	if f.Size == 0 {
		f.Size = defaultTmpfs
		t.warn(key, "has no size for %s, which ECS requires: it is %d MiB; write one, such as %s:size=64m", containerPath, defaultTmpfs, containerPath)
	}
	out.Tmpfs = append(out.Tmpfs, f)
	return nil
}
