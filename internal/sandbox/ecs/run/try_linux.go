package run

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/internal/sandbox/ecs/run/netns"
	"slipway/internal/sandbox/ecs/run/ocispec"
)

// missingProgram is a program that no container has.
const missingProgram = "/slipway-sandbox-tries-to-run"

// tryWith starts a container with an empty root directory. It fails because its
// program is missing, which runc finds out last. Any other failure is of this
// host.
func (r *Runner) tryWith(memory int64) error {
	network, err := netns.New()
	if err != nil {
		return err
	}
	defer network.Close()
	dir := filepath.Join(r.state.Path, "try")
	defer os.RemoveAll(dir)
	root := filepath.Join(dir, "rootfs")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	id := r.containerID("try")
	spec, err := ocispec.New(ocispec.Input{
		Definition: types.ContainerDefinition{Command: []string{missingProgram}}, Image: v1.Config{}, Rootfs: root, Hostname: "try",
		Network: network.Path(), CgroupsPath: "/" + id, Memory: memory,
	})
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	c, err := r.runtime.Run(dir, id, spec, null, null)
	if err == nil {
		c.Wait()
		return errors.New("an empty image has a program")
	}
	if strings.Contains(err.Error(), missingProgram) {
		return nil
	}
	return err
}

// containerID returns an ID that no other sandbox of this host has.
func (r *Runner) containerID(name string) string {
	return filepath.Base(r.state.Path) + "-" + name
}
