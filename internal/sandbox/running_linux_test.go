package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/internal/daemontest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// runFixture is an ecsFixture whose tasks run. ECS's time is fast and passes with
// the clock.
type runFixture struct{ *ecsFixture }

func newRunFixture(t *testing.T) runFixture {
	t.Helper()
	c := runFixture{newECSFixture(t, sandbox.Options{Run: true, ECSSpeed: 60})}
	daemontest.Require(t, c.s.NotRunning(), daemontest.Required())
	t.Cleanup(func() {
		if t.Failed() {
			for _, e := range slices.Backward(c.service().Events) {
				t.Log(*e.Message)
			}
		}
	})
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
