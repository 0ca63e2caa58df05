package engine

import (
	"context"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/docker/cli/cli/connhelper"
	"github.com/docker/cli/cli/connhelper/commandconn"
	dockerssh "github.com/docker/cli/cli/connhelper/ssh"
	"github.com/docker/cli/cli/context/docker"
	bkconnhelper "github.com/moby/buildkit/client/connhelper"
	"github.com/moby/buildkit/client/connhelper/dockercontainer"
	"github.com/moby/buildkit/client/connhelper/ssh"
	"github.com/moby/moby/client"

	"slipway/internal/allow"
)

// withoutCredentials returns an environment without the variables that hold
// credentials. AWS_PROFILE and AWS_REGION stay.
func withoutCredentials(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return allow.Secret(name)
	})
}

// stripped returns a command that runs without those variables. The connection
// starts it with the whole environment, so that env(1) has to remove them.
func stripped(command ...string) (string, []string) {
	if runtime.GOOS == "windows" { // it has no env
		return command[0], command[1:]
	}
	var args []string
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); allow.Secret(name) {
			args = append(args, "-u", name)
		}
	}
	env := "env"
	if _, err := os.Stat("/usr/bin/env"); err == nil {
		env = "/usr/bin/env"
	}
	return env, append(args, command...)
}

// commandDialer connects through another program, which it names: docker and ssh
// without AWS credentials, kubectl with them, since it asks AWS for its token on
// EKS. The dialer is nil for other addresses. The commands are those of BuildKit's
// dialers.
func commandDialer(address string) (program string, dial dialFunc, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", nil, err
	}
	var command []string
	switch u.Scheme {
	case "docker-container":
		command, err = dockerExec(u)
	case "ssh":
		command, err = sshDial(u)
	default:
		helper, err := bkconnhelper.GetConnectionHelper(address)
		if err != nil || helper == nil {
			return "", nil, err
		}
		return "kubectl", helper.ContextDialer, nil
	}
	if err != nil {
		return "", nil, err
	}
	env, args := stripped(command...)
	return command[0], func(context.Context, string) (net.Conn, error) {
		// The command lives as long as the connection, not as the dialing.
		return commandconn.New(context.Background(), env, args...)
	}, nil
}

func dockerExec(u *url.URL) ([]string, error) {
	s, err := dockercontainer.SpecFromURL(u)
	if err != nil {
		return nil, err
	}
	command := []string{"docker"}
	if s.Context != "" {
		command = append(command, "--context="+s.Context)
	}
	return append(command, "exec", "-i", s.Container, "buildctl", "dial-stdio"), nil
}

func sshDial(u *url.URL) ([]string, error) {
	s, err := ssh.SpecFromURL(u)
	if err != nil {
		return nil, err
	}
	command := []string{"ssh"}
	if s.User != "" {
		command = append(command, "-l", s.User)
	}
	if s.Port != "" {
		command = append(command, "-p", s.Port)
	}
	command = append(command, "--", s.Host, "buildctl")
	if s.Socket != "" {
		command = append(command, "--addr", "unix://"+s.Socket)
	}
	return append(command, "dial-stdio"), nil
}

// dockerOptions are how a Docker engine is reached: as the docker command does,
// but ssh gets no AWS credentials and is watched.
func dockerOptions(e docker.Endpoint, watch *commandWatch) ([]client.Opt, error) {
	if !strings.HasPrefix(e.Host, "ssh://") {
		return e.ClientOpts()
	}
	u, err := url.Parse(e.Host)
	if err != nil {
		return nil, err
	}
	s, err := dockerssh.NewSpec(u)
	if err != nil {
		return nil, err
	}
	remote := []string{"docker", "system", "dial-stdio"}
	if strings.Trim(s.Path, "/") != "" {
		remote = []string{"docker", "--host=unix://" + s.Path, "system", "dial-stdio"}
	}
	args, err := s.Command([]string{"-o ConnectTimeout=30", "-T"}, remote...)
	if err != nil {
		return nil, err
	}
	program, args := stripped(append([]string{"ssh"}, args...)...)
	helper, err := connhelper.GetCommandConnectionHelper(program, args...)
	if err != nil {
		return nil, err
	}
	e.Host = helper.Host
	return []client.Opt{client.WithHost(helper.Host), client.WithDialContext(throughSSH(watch, helper.Dialer)), client.WithAPIVersionFromEnv()}, nil
}

// throughSSH watches the connections of a dialer that starts ssh.
func throughSSH(watch *commandWatch, dial func(ctx context.Context, network, address string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return watch.dialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dial(ctx, network, address)
		})(ctx, address)
	}
}
