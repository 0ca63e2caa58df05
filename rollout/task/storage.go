package task

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/awsname"
	"slipway/project/compose"
)

// mounts carries the volumes that lie on EFS.
func (t *translator) mounts() error {
	for _, v := range t.Volumes {
		switch {
		case v.Type == types.VolumeTypeTmpfs: // see linux.go
		case v.Type == types.VolumeTypeVolume && v.Source == "":
			t.warn("volumes", "has an anonymous volume at %s, which is left out: a task has storage of its own; remove it, or write x-slipway: {local: [volumes]}", v.Target)
		case strings.HasSuffix(v.Source, "docker.sock"):
			return t.refuse("volumes", localRemedy("volumes"), "mounts docker.sock, and Fargate has no Docker engine")
		case v.Type != types.VolumeTypeVolume:
			return t.refuse("volumes", "copy the files into the image, or write x-slipway: {local: [volumes]} if only docker compose needs them",
				"mounts %s, and a task has no files of a host", v.Source)
		default:
			if err := t.mount(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// mount carries a named volume.
func (t *translator) mount(v types.ServiceVolumeConfig) error {
	efs, err := compose.ReadVolumeSettings(v.Source, t.project.Volumes[v.Source])
	switch {
	case err != nil:
		return err
	case efs == (compose.EFS{}):
		return t.refuse("volumes", "name its file system with volumes: {"+v.Source+": {x-slipway: {efs: FILE-SYSTEM/ACCESS-POINT}}}, or write x-slipway: {local: [volumes]}",
			"the volume %s has no file system on EFS", v.Source)
	case awsname.CheckContainer(v.Source) != nil: // the same letters
		return t.refuse("volumes", "call it by letters, digits, _ and -", "%q is not the name of a volume on ECS", v.Source)
	case v.Volume != nil && v.Volume.Subpath != "":
		return t.refuse("volumes", "use an access point of EFS for the directory", "mounts a subpath of the volume %s, which ECS cannot", v.Source)
	case !path.IsAbs(v.Target) || slices.ContainsFunc(t.out.MountPoints, func(m MountPoint) bool { return m.ContainerPath == v.Target }):
		return t.refuse("volumes", "write each path once, from /", "%q is not a path, or is there twice", v.Target)
	}
	t.out.MountPoints = append(t.out.MountPoints, MountPoint{v.Source, v.Target, v.ReadOnly})
	return nil
}

// volumes adds the volumes that the containers mount, sorted by name.
func (d *deriver) volumes(g *group, out *Definition) error {
	mounted := map[string]bool{}
	for _, u := range g.services {
		for _, m := range u.out.MountPoints {
			mounted[m.SourceVolume] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(mounted)) {
		efs, err := compose.ReadVolumeSettings(name, d.project.Volumes[name])
		if err != nil {
			return err
		}
		// An access point requires encryption in transit, and so does IAM
		// (EFSVolumeConfiguration in the API reference).
		out.Input.Volumes = append(out.Input.Volumes, Volume{name, EFSVolume{
			FileSystemID: efs.FileSystem, TransitEncryption: "ENABLED",
			AuthorizationConfig: EFSAuthorization{AccessPointID: efs.AccessPoint, IAM: "ENABLED"},
		}})
	}
	return nil
}
