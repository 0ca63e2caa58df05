package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/daemontest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// runFixture is an ecsFixture whose tasks run. ECS's time is fast and passes with
// the clock.
type runFixture struct{ *ecsFixture }

func newRunFixture(t *testing.T, change ...func(*sandbox.Options)) runFixture {
	t.Helper()
	o := sandbox.Options{Run: true, ECSSpeed: 60}
	for _, f := range change {
		f(&o)
	}
	c := runFixture{newECSFixture(t, o)}
	daemontest.Require(t, c.s.NotRunning(), daemontest.Required())
	return c
}

// pushApp pushes an image with the program /app, which testkit.App describes.
func (c runFixture) pushApp(tag string, change ...func(*v1.Config)) string {
	c.Helper()
	config := v1.Config{Entrypoint: []string{"/app"}}
	for _, f := range change {
		f(&config)
	}
	push(c.T, c.uri+":"+tag, testkit.AppImage(c.T, config), c.auth)
	return c.uri + ":" + tag
}

// app is a definition of the container web that listens on port 8080, is checked
// and logs.
func app(command ...string) func(*types.ContainerDefinition) {
	return func(d *types.ContainerDefinition) {
		d.Command = command
		d.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(8080)}}
		d.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
			"awslogs-group": "/ecs/shop", "awslogs-create-group": "true", "awslogs-stream-prefix": "web", "awslogs-region": "us-east-1",
		}}
	}
}

func checked(d *types.ContainerDefinition) {
	d.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "/app", "check", "http://127.0.0.1:8080/"}}
}

func variable(name, value string) func(*types.ContainerDefinition) {
	return func(d *types.ContainerDefinition) {
		d.Environment = append(d.Environment, types.KeyValuePair{Name: &name, Value: &value})
	}
}

// until waits at most a minute until done.
func (c runFixture) until(what string, done func() bool) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			for _, e := range slices.Backward(c.service().Events) {
				c.Log(*e.Message)
			}
			c.Fatalf("after a minute still not: %s", what)
		}
	}
}

// ended waits until the newest service deployment has ended.
func (c runFixture) ended() types.ServiceDeployment {
	c.Helper()
	var d types.ServiceDeployment
	arn := aws.ToString(c.service().CurrentServiceDeployment)
	c.until("the deployment has ended", func() bool {
		d = c.deployment(arn)
		return d.FinishedAt != nil
	})
	return d
}

// start makes the service shop of a definition.
func (c runFixture) start(definition string, change ...func(*ecs.CreateServiceInput)) {
	c.Helper()
	in := &ecs.CreateServiceInput{Cluster: aws.String("shop"), ServiceName: aws.String("shop"), TaskDefinition: &definition, DesiredCount: aws.Int32(1)}
	for _, f := range change {
		f(in)
	}
	if _, err := c.ecs.CreateService(c.Context(), in); err != nil {
		c.Fatal(err)
	}
}

// get returns what the service answers.
func (c runFixture) get() (string, error) {
	c.Helper()
	ports := c.s.TaskPorts()
	if len(ports) == 0 {
		return "", errors.New("no port is open")
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + ports[0].Address)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// lines returns all that a container has logged.
func (c runFixture) lines(container string) (out []string) {
	c.Helper()
	client := logsClient(c.s)
	streams, err := client.DescribeLogStreams(c.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String("/ecs/shop")})
	var none *logtypes.ResourceNotFoundException
	if errors.As(err, &none) {
		return nil // nothing has been logged
	}
	if err != nil {
		c.Fatal(err)
	}
	for _, s := range streams.LogStreams {
		if !strings.HasPrefix(*s.LogStreamName, "web/"+container+"/") {
			continue
		}
		events, err := client.GetLogEvents(c.Context(), &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String("/ecs/shop"), LogStreamName: s.LogStreamName, StartFromHead: aws.Bool(true),
		})
		if err != nil {
			c.Fatal(err)
		}
		out = append(out, messages(events.Events)...)
	}
	return out
}

// A service answers while a deployment replaces its tasks, and after a version
// that crashes was rolled back.
func TestRunningDeployments(t *testing.T) {
	c := newRunFixture(t)
	image := c.pushApp("one")
	c.start(c.define(c.web(image, app("serve", ":8080"), checked, variable("ANSWER", "one"))), breaker(true))
	if d := c.ended(); d.Status != types.ServiceDeploymentStatusSuccessful {
		t.Fatalf("the first deployment: %s, %s", d.Status, aws.ToString(d.StatusReason))
	}
	if got, err := c.get(); got != "one" || err != nil {
		t.Errorf("the service answers %q, %v", got, err)
	}
	c.update(c.define(c.web(image, app("serve", ":8080"), checked, variable("ANSWER", "two"))))
	c.until("the second deployment has ended", func() bool {
		if got, err := c.get(); err != nil || got != "one" && got != "two" {
			t.Errorf("during a deployment the service answers %q, %v", got, err)
		}
		return c.service().Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted
	})
	if got, err := c.get(); got != "two" || err != nil {
		t.Errorf("the service answers %q, %v", got, err)
	}
	c.update(c.define(c.web(image, app("exit", "3", "no database"), checked)))
	if d := c.ended(); d.Status != types.ServiceDeploymentStatusRollbackSuccessful {
		t.Errorf("the deployment of tasks that crash: %s, %s", d.Status, aws.ToString(d.StatusReason))
	}
	if got, err := c.get(); got != "two" || err != nil {
		t.Errorf("after the rollback the service answers %q, %v", got, err)
	}
	crashed := c.tasks(types.DesiredStatusStopped)
	i := slices.IndexFunc(crashed, func(t types.Task) bool { return t.StopCode == types.TaskStopCodeEssentialContainerExited })
	if i < 0 || aws.ToInt32(crashed[i].Containers[0].ExitCode) != 3 ||
		aws.ToString(crashed[i].StoppedReason) != "Essential container in task exited" {
		t.Errorf("no task crashed with 3: %+v", crashed)
	}
	if lines := c.lines("web"); !slices.Contains(lines, "no database") || !slices.Contains(lines, "ended by terminated") {
		t.Errorf("logged are %q", lines)
	}
}

// stopped waits until a task of a definition has stopped, and returns it.
func (c runFixture) stopped(definition string) (task types.Task) {
	c.Helper()
	c.until("a task has stopped", func() bool {
		listed, err := c.ecs.ListTasks(c.Context(), &ecs.ListTasksInput{Cluster: aws.String("shop"), DesiredStatus: types.DesiredStatusStopped})
		if err != nil || len(listed.TaskArns) == 0 {
			return false
		}
		described, err := c.ecs.DescribeTasks(c.Context(), &ecs.DescribeTasksInput{Cluster: aws.String("shop"), Tasks: listed.TaskArns})
		if err != nil {
			c.Fatal(err)
		}
		i := slices.IndexFunc(described.Tasks, func(t types.Task) bool {
			return *t.TaskDefinitionArn == definition && *t.LastStatus == "STOPPED"
		})
		if i >= 0 {
			task = described.Tasks[i]
		}
		return i >= 0
	})
	return task
}

// containerOf returns a container of a task.
func (c runFixture) containerOf(t types.Task, name string) types.Container {
	c.Helper()
	i := slices.IndexFunc(t.Containers, func(c types.Container) bool { return *c.Name == name })
	if i < 0 {
		c.Fatalf("no container %s in %+v", name, t.Containers)
	}
	return t.Containers[i]
}

// A process has the command, environment, user and directory of the definition,
// or else of the image, and the values of its secrets.
func TestRunningContainer(t *testing.T) {
	c := newRunFixture(t)
	secrets := secretsmanager.NewFromConfig(testkit.AWSConfig(c.s.URL()))
	secret, err := secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("shop/db"), SecretString: aws.String(`{"password":"hunter2"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = ssm.NewFromConfig(testkit.AWSConfig(c.s.URL())).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String("/shop/key"), Value: aws.String("sesame"), Type: ssmtypes.ParameterTypeSecureString,
	})
	if err != nil {
		t.Fatal(err)
	}
	image := c.pushApp("one", func(config *v1.Config) {
		config.Cmd, config.WorkingDir, config.User = []string{"wait"}, "/image", "root"
		config.Env = []string{"FROM=image", "KEPT=image"}
	})
	definition := c.define(c.web(image, app("show", "it"), variable("FROM", "definition"), func(d *types.ContainerDefinition) {
		d.User, d.WorkingDirectory = aws.String("app"), aws.String("/work")
		d.Secrets = []types.Secret{
			{Name: aws.String("PASSWORD"), ValueFrom: aws.String(*secret.ARN + ":password::")},
			{Name: aws.String("KEY"), ValueFrom: aws.String("/shop/key")},
		}
	}))
	c.start(definition)
	task := c.stopped(definition)
	if got := c.containerOf(task, "web"); aws.ToInt32(got.ExitCode) != 0 || got.ExitCode == nil {
		t.Errorf("the container ended as %+v, want exit code 0", got)
	}
	lines := c.lines("web")
	for _, want := range []string{
		"args show it", "user 1234 99 [77]", "directory /work", "env FROM=definition", "env KEPT=image", "env PASSWORD=hunter2", "env KEY=sesame", "env HOME=/home",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in %q", want, lines)
		}
	}
}

// A task that cannot run has the reason that ECS gives.
func TestRunningTasksThatFail(t *testing.T) {
	c := newRunFixture(t)
	image := c.pushApp("one")
	withSecret := func(from string) func(*types.ContainerDefinition) {
		return func(d *types.ContainerDefinition) {
			d.Secrets = []types.Secret{{Name: aws.String("KEY"), ValueFrom: &from}}
		}
	}
	nowhere := strings.TrimPrefix(c.s.URL(), "http://") + "/absent@" + "sha256:" + strings.Repeat("0", 64)
	for name, test := range map[string]struct {
		definition      types.ContainerDefinition
		reason, because string // of the task, and of its container
		code            int32
	}{
		"no program": {
			c.web(image, func(d *types.ContainerDefinition) { d.EntryPoint = []string{"/missing"} }),
			"CannotStartContainerError: ", `exec: "/missing": stat /missing: no such file or directory`, -1,
		},
		"no user": {
			c.web(image, app("wait"), func(d *types.ContainerDefinition) { d.User = aws.String("stranger") }),
			"CannotStartContainerError: ", "unable to find user stranger", -1,
		},
		"no secret":    {c.web(image, app("wait"), withSecret("/shop/none")), "ResourceInitializationError: unable to pull secrets", "", -1},
		"no image":     {c.web(nowhere, app("wait")), "CannotPullContainerError: ", "", -1},
		"no memory":    {c.web(image, app("eat"), func(d *types.ContainerDefinition) { d.Memory = aws.Int32(16) }), "Essential container", "OutOfMemoryError", 137},
		"never passes": {c.web(image, app("wait"), checked), "Task failed container health checks", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := runFixture{c.ecsFixture.in(t)}
			definition := c.define(test.definition)
			c.start(definition)
			defer c.remove()
			task := c.stopped(definition)
			web := c.containerOf(task, "web")
			if !strings.HasPrefix(aws.ToString(task.StoppedReason), test.reason) || !strings.Contains(aws.ToString(web.Reason), test.because) {
				t.Errorf("stopped for %q, the container for %q, want %q and %q",
					aws.ToString(task.StoppedReason), aws.ToString(web.Reason), test.reason, test.because)
			}
			if got := web.ExitCode; (got == nil) != (test.code < 0) || got != nil && *got != test.code {
				t.Errorf("exit code is %v, want %d", got, test.code)
			}
		})
	}
}

// in is the fixture for a test of its own.
func (c *ecsFixture) in(t *testing.T) *ecsFixture {
	out := *c
	out.T = t
	return &out
}

// remove deletes the service shop and waits until its tasks have stopped.
func (c runFixture) remove() {
	c.Helper()
	c.delete()
	c.until("the service is deleted", func() bool { return aws.ToString(c.service().Status) == "INACTIVE" })
}

func (c runFixture) delete() {
	c.Helper()
	_, err := c.ecs.DeleteService(c.Context(), &ecs.DeleteServiceInput{Cluster: aws.String("shop"), Service: aws.String("shop"), Force: aws.Bool(true)})
	if err != nil {
		c.Fatal(err)
	}
}

// A process ends by its image's signal, or by SIGKILL after the stop timeout.
func TestRunningTasksStop(t *testing.T) {
	c := newRunFixture(t)
	polite := c.pushApp("polite", func(config *v1.Config) { config.StopSignal = "SIGQUIT" })
	definition := c.define(
		c.web(polite, app("wait")),
		c.web(c.pushApp("rude"), app("ignore-term", ":8080"), func(d *types.ContainerDefinition) {
			d.Name, d.StopTimeout = aws.String("rude"), aws.Int32(2)
		}),
	)
	c.start(definition)
	c.until("both wait", func() bool {
		return len(c.tasks(types.DesiredStatusRunning)) == 1 && len(c.s.TaskPorts()) > 0 && len(c.lines("rude")) > 0
	})
	c.until("web waits", func() bool { return len(c.lines("web")) > 0 })
	c.delete()
	// No connection goes to a task that is being stopped, though one process runs on.
	c.until("no port leads to the task", func() bool { return len(c.s.TaskPorts()) == 0 })
	if got := c.containerOf(c.tasks(types.DesiredStatusStopped)[0], "rude"); *got.LastStatus != "RUNNING" {
		t.Errorf("when its port was closed, the container was %s already", *got.LastStatus)
	}
	task := c.stopped(definition)
	if code := c.containerOf(task, "web").ExitCode; code == nil || *code != 0 {
		t.Errorf("web ended with %v, want 0", code)
	}
	if lines := c.lines("web"); !slices.Contains(lines, "ended by quit") {
		t.Errorf("web logged %q", lines)
	}
	if code := c.containerOf(task, "rude").ExitCode; code == nil || *code != 137 {
		t.Errorf("rude ended with %v, want 137", code)
	}
}

// Containers of a task start in the order of their dependencies, share a volume
// and reach each other at 127.0.0.1.
func TestRunningDependencies(t *testing.T) {
	c := newRunFixture(t)
	image, no := c.pushApp("one"), aws.Bool(false)
	shared := []types.MountPoint{{SourceVolume: aws.String("shared"), ContainerPath: aws.String("/shared")}}
	named := func(name string) func(*types.ContainerDefinition) {
		return func(d *types.ContainerDefinition) { d.Name, d.MountPoints = &name, shared }
	}
	out, err := c.ecs.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("shop"), Volumes: []types.Volume{{Name: aws.String("shared")}},
		ContainerDefinitions: []types.ContainerDefinition{
			c.web(image, app("find", "/shared/done"), named("web"), func(d *types.ContainerDefinition) {
				d.DependsOn = []types.ContainerDependency{
					{ContainerName: aws.String("init"), Condition: types.ContainerConditionSuccess},
					{ContainerName: aws.String("client"), Condition: types.ContainerConditionComplete},
				}
			}),
			c.web(image, app("touch", "/shared/done"), named("init"), func(d *types.ContainerDefinition) { d.Essential = no }),
			c.web(image, app("check", "http://127.0.0.1:8080"), named("client"), func(d *types.ContainerDefinition) {
				d.Essential = no
				d.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("server"), Condition: types.ContainerConditionHealthy}}
			}),
			c.web(image, app("serve", ":8080"), named("server"), checked),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.start(*out.TaskDefinition.TaskDefinitionArn)
	task := c.stopped(*out.TaskDefinition.TaskDefinitionArn)
	for name, want := range map[string]int32{"web": 0, "init": 0, "client": 0, "server": 0} {
		if got := c.containerOf(task, name).ExitCode; got == nil || *got != want {
			t.Errorf("%s ended with %v, want %d", name, got, want)
		}
	}
	c.remove()
	definition := c.define(
		c.web(image, app("wait"), func(d *types.ContainerDefinition) {
			d.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("init"), Condition: types.ContainerConditionSuccess}}
		}),
		c.web(image, app("exit", "2", "no"), func(d *types.ContainerDefinition) { d.Name, d.Essential = aws.String("init"), no }),
	)
	c.start(definition)
	if task := c.stopped(definition); aws.ToString(task.StoppedReason) != "Task failed to start" || task.StopCode != types.TaskStopCodeTaskFailedToStart {
		t.Errorf("after a dependency failed, the task stopped for %s: %s", task.StopCode, aws.ToString(task.StoppedReason))
	}
}

// With the host's network, a task listens on a port of this host, and reaches it.
func TestRunningOnTheHostNetwork(t *testing.T) {
	c := newRunFixture(t, func(o *sandbox.Options) { o.HostNetwork = true })
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	image, no := c.pushApp("one"), aws.Bool(false)
	c.start(c.define(
		c.web(image, app("serve", address), variable("ANSWER", "here")),
		c.web(image, app("check", c.s.URL()+"/_sandbox/clock"), func(d *types.ContainerDefinition) { d.Name, d.Essential = aws.String("client"), no }),
	))
	c.until("the service answers", func() bool {
		resp, err := http.Get("http://" + address)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && string(text) == "here"
	})
	c.until("the client has ended", func() bool {
		tasks := c.tasks(types.DesiredStatusRunning)
		return len(tasks) == 1 && c.containerOf(tasks[0], "client").ExitCode != nil
	})
	if code := *c.containerOf(c.tasks(types.DesiredStatusRunning)[0], "client").ExitCode; code != 0 {
		t.Errorf("the client ended with %d: it does not reach the sandbox", code)
	}
}

// An image of another registry is pulled. A container that its restart policy
// covers runs again.
func TestRunningImageFromElsewhere(t *testing.T) {
	// A minute of ECS's time, the least attempt period, is a millisecond.
	c := newRunFixture(t, func(o *sandbox.Options) { o.ECSSpeed = 60_000 })
	host := testkit.StartRegistry(t)
	push(t, host+"/tools/app:1", testkit.AppImage(t, v1.Config{Entrypoint: []string{"/app"}}), remote.WithAuth(authn.Anonymous))
	c.start(c.define(c.web(host+"/tools/app:1", app("exit", "1", "again"), func(d *types.ContainerDefinition) {
		d.RestartPolicy = &types.ContainerRestartPolicy{Enabled: aws.Bool(true), RestartAttemptPeriod: aws.Int32(60)}
	})))
	c.until("the container has run three times", func() bool { return len(c.lines("web")) >= 3 })
	if running := c.tasks(types.DesiredStatusRunning); len(running) != 1 {
		t.Errorf("%d tasks are to run, want one", len(running))
	}
}

// TestRunningStandaloneTask: RunTask runs a process, whose exit code and lines it has.
func TestRunningStandaloneTask(t *testing.T) {
	c := newRunFixture(t)
	definition := c.defineFargate(c.pushApp("one"), app("exit", "3", "no database"))
	arn := c.run(runTask(definition)).Tasks[0].TaskArn
	var got types.Task
	c.until("the task has stopped", func() bool {
		out, err := c.ecs.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: aws.String("shop"), Tasks: []string{*arn}})
		if err != nil || len(out.Tasks) != 1 {
			t.Fatalf("DescribeTasks: %+v, %v", out, err)
		}
		got = out.Tasks[0]
		return aws.ToString(got.LastStatus) == "STOPPED"
	})
	if got.StopCode != types.TaskStopCodeEssentialContainerExited || aws.ToInt32(got.Containers[0].ExitCode) != 3 {
		t.Errorf("the task ended with %s and %v, want EssentialContainerExited and 3", got.StopCode, got.Containers[0].ExitCode)
	}
	if lines := c.lines("web"); !slices.Contains(lines, "no database") {
		t.Errorf("the lines are %q, want no database among them", lines)
	}
}
