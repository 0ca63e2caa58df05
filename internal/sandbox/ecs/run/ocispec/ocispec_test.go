package ocispec

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/internal/golden"
)

func pair(name, value string) types.KeyValuePair {
	return types.KeyValuePair{Name: &name, Value: &value}
}

// whole is an input with all that a definition can say.
func whole() Input {
	return Input{
		Definition: types.ContainerDefinition{
			Name: aws.String("web"), EntryPoint: []string{"/entry"}, Command: []string{"serve"}, WorkingDirectory: aws.String("work"),
			ReadonlyRootFilesystem: aws.Bool(true), Environment: []types.KeyValuePair{pair("FROM", "definition"), pair("PASSWORD", "none")},
			Ulimits: []types.Ulimit{
				{Name: types.UlimitNameNofile, SoftLimit: 2000, HardLimit: 100_000}, {Name: types.UlimitNameCore, SoftLimit: 0, HardLimit: 1},
			},
			LinuxParameters: &types.LinuxParameters{
				Capabilities: &types.KernelCapabilities{Add: []string{"SYS_PTRACE"}, Drop: []string{"NET_RAW", "CAP_MKNOD"}},
				Tmpfs:        []types.Tmpfs{{ContainerPath: aws.String("/scratch"), Size: 32, MountOptions: []string{"noexec"}}}, SharedMemorySize: aws.Int32(128),
			},
		},
		Image: v1.Config{
			Entrypoint: []string{"/image"}, Cmd: []string{"of", "image"}, WorkingDir: "/image",
			Env: []string{"PATH=/bin", "FROM=image", "KEPT=a=b"},
		},
		Secrets: []Variable{{"PASSWORD", "secret"}}, User: specs.User{UID: 1000, GID: 1001, AdditionalGids: []uint32{5}},
		Rootfs: "/data/rootfs", Hostname: "ip-1", Network: "/proc/1/fd/9", CgroupsPath: "/web", Memory: 512 << 20, MaxFiles: 4096,
		Mounts: []specs.Mount{{Destination: "/etc/hosts", Type: "bind", Source: "/data/hosts", Options: []string{"rbind"}}},
	}
}

func TestNew(t *testing.T) {
	for name, in := range map[string]Input{
		"whole": whole(),
		"least": {Image: v1.Config{Cmd: []string{"/app"}}, Rootfs: "/data/rootfs", Hostname: "ip-1", Network: "/proc/1/fd/9", CgroupsPath: "/web"},
	} {
		spec, err := New(in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := json.MarshalIndent(spec, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, name+".json", append(text, '\n'))
	}
	if _, err := New(Input{}); !errors.Is(err, ErrNoCommand) {
		t.Errorf("without a command: %v, want %v", err, ErrNoCommand)
	}
}

// An entry point of the definition leaves the image's command out, as with Docker.
func TestArgs(t *testing.T) {
	image := v1.Config{Entrypoint: []string{"/image"}, Cmd: []string{"default"}}
	for _, test := range []struct{ entryPoint, command, want []string }{
		{nil, nil, []string{"/image", "default"}},
		{nil, []string{"c"}, []string{"/image", "c"}},
		{[]string{"/e"}, nil, []string{"/e"}},
		{[]string{"/e"}, []string{"c"}, []string{"/e", "c"}},
	} {
		if got := Args(types.ContainerDefinition{EntryPoint: test.entryPoint, Command: test.command}, image); !slices.Equal(got, test.want) {
			t.Errorf("Args(%q, %q) = %q, want %q", test.entryPoint, test.command, got, test.want)
		}
	}
}

func TestHealthCommand(t *testing.T) {
	for _, test := range []struct{ command, want []string }{
		{nil, nil},
		{[]string{"NONE"}, nil},
		{[]string{"CMD", "/check", "a b"}, []string{"/check", "a b"}},
		{[]string{"CMD-SHELL", "curl -f http://localhost || exit 1"}, []string{"/bin/sh", "-c", "curl -f http://localhost || exit 1"}},
		{[]string{"curl", "localhost"}, []string{"/bin/sh", "-c", "curl localhost"}},
	} {
		d := types.ContainerDefinition{HealthCheck: &types.HealthCheck{Command: test.command}}
		if got := HealthCommand(d); !slices.Equal(got, test.want) {
			t.Errorf("HealthCommand(%q) = %q, want %q", test.command, got, test.want)
		}
	}
	if got := HealthCommand(types.ContainerDefinition{}); got != nil {
		t.Errorf("without a health check: %q", got)
	}
}
