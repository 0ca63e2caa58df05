package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/internal/sandbox/ecs/run/netns"
)

// hostname is the one of every container of a task.
func (t *task) hostname() string { return "ip-" + t.ID[:12] }

// makeFiles makes the files of a task that its containers share.
func (t *task) makeFiles() error {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	resolver, err := os.ReadFile("/etc/resolv.conf")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	hosts := fmt.Sprintf("127.0.0.1\tlocalhost\n%s\t%s\n", netns.Address, t.hostname())
	return errors.Join(
		os.WriteFile(filepath.Join(t.dir, "hosts"), []byte(hosts), 0o644),
		os.WriteFile(filepath.Join(t.dir, "resolv.conf"), resolver, 0o644),
	)
}

// mounts returns the mounts of a container that lead to files of this host.
func (t *task) mounts(d types.ContainerDefinition) ([]specs.Mount, error) {
	var out []specs.Mount
	for _, name := range []string{"hosts", "resolv.conf"} {
		out = append(out, bind(filepath.Join(t.dir, name), filepath.Join("/etc", name), false))
	}
	for _, m := range d.MountPoints {
		source := filepath.Join(t.dir, "volumes", filepath.Base(aws.ToString(m.SourceVolume)))
		if err := os.MkdirAll(source, 0o755); err != nil {
			return nil, err
		}
		out = append(out, bind(source, aws.ToString(m.ContainerPath), aws.ToBool(m.ReadOnly)))
	}
	return out, nil
}

func bind(source, destination string, readOnly bool) specs.Mount {
	options := []string{"rbind", "rprivate"}
	if readOnly {
		options = append(options, "ro")
	}
	return specs.Mount{Destination: destination, Type: "bind", Source: source, Options: options}
}

// memory returns the limit of a container's memory in bytes, its own or else the
// task's; 0 without one or where memory cannot be limited.
func (t *task) memory(d types.ContainerDefinition) int64 {
	mib := int64(aws.ToInt32(d.Memory))
	if mib == 0 {
		mib, _ = strconv.ParseInt(t.definition.Memory, 10, 64) // ECS has checked it
	}
	if !t.runner.memory {
		return 0
	}
	return mib << 20
}

// userOf returns the user of a name or number such as "node" or "1000:1000", by
// the files of the root directory.
func userOf(name, rootfs string) (specs.User, error) {
	root, err := os.OpenRoot(rootfs)
	if err != nil {
		return specs.User{}, err
	}
	defer root.Close()
	// A file that is missing or leads out of the directory has no entries.
	passwd, err := root.Open("etc/passwd")
	if err == nil {
		defer passwd.Close()
	}
	group, err := root.Open("etc/group")
	if err == nil {
		defer group.Close()
	}
	found, err := user.GetExecUser(name, nil, reader(passwd), reader(group))
	if err != nil {
		return specs.User{}, err
	}
	out := specs.User{UID: uint32(found.Uid), GID: uint32(found.Gid)}
	for _, g := range found.Sgids {
		out.AdditionalGids = append(out.AdditionalGids, uint32(g))
	}
	return out, nil
}

// reader returns nil without a file.
func reader(f *os.File) io.Reader {
	if f == nil {
		return nil
	}
	return f
}
