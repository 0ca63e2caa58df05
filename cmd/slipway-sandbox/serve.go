package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"slipway/internal/output"
	"slipway/internal/sandbox"
)

// Exit codes, as the help lists them.
const (
	exitDone  = 0
	exitError = 1
	exitUsage = 2
)

// usageError marks what the caller typed wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	out := output.Check(stdout)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = out.Err()
	}
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage) || errors.Is(err, sandbox.ErrOption):
		fmt.Fprintf(stderr, "slipway-sandbox: %v\ntry: slipway-sandbox --help\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "slipway-sandbox: %v\n", err)
		return exitError
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway-sandbox",
		Short: "A local stand-in for ECR, ECS, S3 and what goes with them",
		Long: `slipway-sandbox stands in for the part of AWS that Slipway uses: ECR with a
real image registry behind it, ECS with deployments that take time, CodeDeploy for
ECS, CloudWatch Logs, Application Auto Scaling, S3, CodePipeline, EventBridge and its
Scheduler, stacks of CloudFormation, Secrets Manager, the Parameter Store, STS and
IAM's policy simulation, all on one address. Nothing survives its end.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return usageError{errors.New("a command is needed")}
		},
		RunE:              func(*cobra.Command, []string) error { return nil }, // Args lets nothing through
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newServe(), newDeploy(), newService(), newShow())
	return root
}

// serveHelp is the long help of serve.
const serveHelp = `serve listens, prints the environment variables that point AWS clients at it as
export lines on stdout once it is ready, and serves until SIGINT or SIGTERM.

The credentials it prints are made up; it takes any. Repositories of another
account or region get a port of their own the first time they are asked for.

A control plane for scripts:
  curl -X POST  URL/_sandbox/clock?advance=192h   move the clock, apply lifecycle policies
  curl          URL/_sandbox/calls                the requests so far, as JSON
  curl -X POST  'URL/_sandbox/archive?repository=R&digest=D'   archive an image
  curl -X POST  'URL/_sandbox/fault?service=ecs&action=UpdateService&count=3&error=ThrottlingException'
                the next three such calls get that error; count=0 removes it, delay=2s
                comes before the answer, carried-out=true does the work all the same
  curl -X POST  'URL/_sandbox/limit?service=ecs&action=DescribeServices&rate=20'
                calls beyond 20 a second get ThrottlingException; rate=0 lifts it, and
                burst=N lets N through at once
  curl -X POST  'URL/_sandbox/ecr?refuse-nested=true'   refuse an index in an index; further
                limits of ECR: tags-per-image=N, images-per-repository=N
  curl -X POST  'URL/_sandbox/deny?action=ecr:PutImage'   refuse an action, to IAM's simulation
                too; without action: allow all again
  curl -X POST  'URL/_sandbox/caller?arn=ARN&entity=ARN'   change who calls, and the role behind
  curl -X POST  'URL/_sandbox/stack?name=shop&output=LogGroup%3D/ecs/shop'   make a stack of
                CloudFormation with these outputs, or replace it; status=CREATE_FAILED;
                target groups and Cloud Map services among the outputs are there, too
  curl -X POST  'URL/_sandbox/target-group?arn=ARN&type=instance&attached=false'   make a target
                group, or replace it; registry?arn=ARN&record=A a service of Cloud Map
  curl          URL/_sandbox/ecs                  the speed of ECS and its quirks
  curl -X POST  'URL/_sandbox/ecs?speed=50'       change the speed
  curl -X POST  'URL/_sandbox/ecs?list-delay=true'   change what ECS's documentation leaves
                open: separate-ids, list-delay, platform-digests, early-success, late-current, no-new-fields

ECS deploys as the real one does, in time: images are resolved to digests when a
deployment begins, tasks take seconds to start and to stop. Without --run, nothing
runs in them. A container does as a label of its image says, or a variable of its
environment, which wins:
  slipway.sandbox.exit=1         SLIPWAY_SANDBOX_EXIT=1         exits with 1; oom: out of memory
  slipway.sandbox.exit-after=3s  SLIPWAY_SANDBOX_EXIT_AFTER=3s  … after that time (default 1s)
  slipway.sandbox.health=never   SLIPWAY_SANDBOX_HEALTH=never   passes no health check, its own
                                                                or the load balancer's
  slipway.sandbox.capacity=none  SLIPWAY_SANDBOX_CAPACITY=none  finds no room
  slipway.sandbox.alarm=NAME     SLIPWAY_SANDBOX_ALARM=NAME     sets off this alarm
  slipway.sandbox.log=text       SLIPWAY_SANDBOX_LOG=text       writes this, with awslogs to
                                                                CloudWatch Logs
Tasks also fail for what is really so: an image that is missing, archived or for
another architecture, a log group that is not there; and for a secret whose
valueFrom, or an execution role whose ARN, contains "missing".

With --run, tasks run the processes of their images, as root with runc. Command,
environment, secrets of the sandbox, user, health check, dependencies, restart
policy, limits and stop timeout are those of the task definition; exit codes and log
lines are the processes' own. Each task has a network namespace without a way out, so
that two tasks may listen on the same port. Connections to 127.0.0.1 at a container's
TCP port, or at a free one if that is taken, go to the healthy tasks of its service.
A line on stderr has the address, and so has this list:
  curl          URL/_sandbox/tasks                addresses that lead to tasks, as JSON
With --host-network, tasks reach what this host reaches and listen on its ports. Then
a deployment must stop the old task first: minimum 0, maximum 100 percent.
The labels exit, exit-after, stop-after and log have no effect then. The interval
between health checks is ECS's time, start periods and timeouts are the clock's.
Where no container can run, a line on stderr has the reason, and all is as without
--run.

CodeDeploy deploys to ECS services with that controller; as the real one, it waits
an hour of ECS's time for tasks that do not come up.

Exit codes: 0 interrupted, as it should be; 1 the address is not available or
another error; 2 wrong usage.`

func newServe() *cobra.Command {
	var o sandbox.Options
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve until interrupted",
		Long:  serveHelp,
		Example: `  slipway-sandbox serve --addr 127.0.0.1:4566 > env.sh &
  . ./env.sh
  aws ecr create-repository --repository-name shop/web`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("serve takes no arguments, got %q", args)}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			return runServe(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.Addr, "addr", "127.0.0.1:4566", "host:port to listen on; port 0 takes a free one")
	f.StringVar(&o.PublicAddr, "public-addr", "", "host:port that answers name instead, for a proxy in between")
	f.StringVar(&o.Account, "account", "000000000000", "account the main address serves")
	f.StringVar(&o.Region, "region", "us-east-1", "region the main address serves")
	f.DurationVar(&o.TokenLifetime, "token-lifetime", 0, "how long an ECR token is good for (default 12h)")
	f.Float64Var(&o.ECSSpeed, "ecs-speed", 1, "how much faster than the clock the time of ECS runs")
	f.BoolVar(&o.Run, "run", false, "run the containers of tasks, as root on Linux with runc")
	f.BoolVar(&o.HostNetwork, "host-network", false, "with --run, have all tasks share the network of this host")
	f.StringVar(&o.Dir, "dir", "", "directory for a temporary directory with the blobs (default the system's)")
	return c
}

// runServe serves until the context ends.
func runServe(ctx context.Context, o sandbox.Options, stdout, stderr io.Writer) error {
	o.Opened = func(p sandbox.TaskPort) {
		fmt.Fprintf(stderr, "%s of %s/%s answers at %s\n", p.Container, p.Cluster, p.Service, p.Address)
	}
	s, err := sandbox.Start(ctx, o)
	if err != nil {
		return err
	}
	var out strings.Builder
	for _, line := range s.Env() {
		fmt.Fprintf(&out, "export %s\n", line)
	}
	if _, err := io.WriteString(stdout, out.String()); err != nil {
		return errors.Join(fmt.Errorf("printing the environment: %w", err), s.Close())
	}
	if _, err := io.WriteString(stderr, announcement(s)); err != nil {
		return errors.Join(fmt.Errorf("printing the address: %w", err), s.Close())
	}
	<-ctx.Done()
	return s.Close()
}

// announcement returns the lines on stderr at the start.
func announcement(s *sandbox.Server) string {
	out := fmt.Sprintf("serving ECR, ECS, CodeDeploy, CloudWatch Logs, Application Auto Scaling, S3, CodePipeline, EventBridge, Scheduler, "+
		"CloudFormation, Secrets Manager, Parameter Store, STS and IAM on %s until interrupted\n", s.URL())
	if err := s.NotRunning(); err != nil {
		out += fmt.Sprintf("tasks do not run here, their containers are played: %v\n", err)
	}
	if err := s.Leftover(); err != nil {
		out += fmt.Sprintf("some leftovers of a killed sandbox stay on this host: %v\n", err)
	}
	return out
}
