package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

func env(name, value string) func(*types.ContainerDefinition) {
	return func(d *types.ContainerDefinition) {
		d.Environment = append(d.Environment, types.KeyValuePair{Name: &name, Value: &value})
	}
}

func healthCheck(d *types.ContainerDefinition) {
	d.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "true"}, Interval: aws.Int32(5), Retries: aws.Int32(2)}
}

// pushIndex pushes an index of images, one for each architecture.
func (c *ecsFixture) pushIndex(tag string, architectures ...string) (index string, platforms []string) {
	c.Helper()
	idx := v1.ImageIndex(empty.Index)
	for _, arch := range architectures {
		img := c.image(arch)
		platforms = append(platforms, digestOf(c.T, img))
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	if err := remote.WriteIndex(reference(c.T, c.uri+":"+tag), idx, c.auth, remote.WithContext(c.Context())); err != nil {
		c.Fatal(err)
	}
	return digestOf(c.T, idx), platforms
}

// A task that fails has the reason, in ECS's words.
func TestTasksFail(t *testing.T) {
	const group = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/0123456789abcdef"
	balanced := func(in *ecs.CreateServiceInput) {
		in.LoadBalancers = []types.LoadBalancer{{TargetGroupArn: aws.String(group), ContainerName: aws.String("web"), ContainerPort: aws.Int32(80)}}
	}
	port := func(d *types.ContainerDefinition) {
		d.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(80)}}
	}
	for _, test := range []struct {
		name    string
		define  func(c *ecsFixture) types.ContainerDefinition
		service func(*ecs.CreateServiceInput)
		code    types.TaskStopCode
		reason  string // must be in the task's
		exit    int32  // of the container
	}{
		{
			name:   "missing tag",
			define: func(c *ecsFixture) types.ContainerDefinition { return c.web(c.uri + ":missing") },
			code:   types.TaskStopCodeTaskFailedToStart, reason: "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref HOST/shop:missing: HOST/shop:missing: not found",
		},
		{
			name:   "missing repository",
			define: func(c *ecsFixture) types.ContainerDefinition { return c.web(c.uri + "s:one") },
			code:   types.TaskStopCodeTaskFailedToStart, reason: "HOST/shops:one: not found",
		},
		{
			name: "missing digest",
			define: func(c *ecsFixture) types.ContainerDefinition {
				return c.web(c.uri + "@sha256:" + strings.Repeat("0", 64))
			},
			code: types.TaskStopCodeTaskFailedToStart, reason: "HOST/shop@sha256:" + strings.Repeat("0", 64) + ": not found",
		},
		{
			name: "archived",
			define: func(c *ecsFixture) types.ContainerDefinition {
				if err := c.s.Archive("shop", c.push("one")); err != nil {
					c.Fatal(err)
				}
				return c.web(c.uri + ":one")
			},
			code: types.TaskStopCodeTaskFailedToStart, reason: "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref HOST/shop@sha256:",
		},
		{
			name: "another architecture",
			define: func(c *ecsFixture) types.ContainerDefinition {
				push(c.T, c.uri+":one", c.image("arm64"), c.auth)
				return c.web(c.uri + ":one")
			},
			code: types.TaskStopCodeTaskFailedToStart, reason: "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'",
		},
		{
			name: "index without the architecture",
			define: func(c *ecsFixture) types.ContainerDefinition {
				c.pushIndex("one", "arm64", "s390x")
				return c.web(c.uri + ":one")
			},
			code: types.TaskStopCodeTaskFailedToStart, reason: "image Manifest does not contain descriptor matching platform 'linux/amd64'",
		},
		{
			name: "exits",
			define: func(c *ecsFixture) types.ContainerDefinition {
				c.push("one")
				return c.web(c.uri+":one", env("SLIPWAY_SANDBOX_EXIT", "7"))
			},
			code: types.TaskStopCodeEssentialContainerExited, reason: "Essential container in task exited", exit: 7,
		},
		{
			name: "out of memory",
			define: func(c *ecsFixture) types.ContainerDefinition {
				c.push("one", "slipway.sandbox.exit=oom")
				return c.web(c.uri + ":one")
			},
			code: types.TaskStopCodeEssentialContainerExited, reason: "Essential container in task exited", exit: 137,
		},
		{
			name: "never healthy",
			define: func(c *ecsFixture) types.ContainerDefinition {
				c.push("one", "slipway.sandbox.health=never")
				return c.web(c.uri+":one", healthCheck)
			},
			code: types.TaskStopCodeServiceSchedulerInitiated, reason: "Task failed container health checks", exit: 143,
		},
		{
			name: "never healthy behind a load balancer",
			define: func(c *ecsFixture) types.ContainerDefinition {
				c.push("one", "slipway.sandbox.health=never")
				return c.web(c.uri+":one", port)
			},
			service: balanced,
			code:    types.TaskStopCodeServiceSchedulerInitiated, reason: "Task failed ELB health checks in (target-group " + group + ")", exit: 143,
		},
		{
			name: "secret missing",
			define: func(c *ecsFixture) types.ContainerDefinition {
				c.push("one")
				return c.web(c.uri+":one", func(d *types.ContainerDefinition) {
					d.Secrets = []types.Secret{{Name: aws.String("KEY"), ValueFrom: aws.String("arn:aws:secretsmanager:us-east-1:000000000000:secret:missing")}}
				})
			},
			code: types.TaskStopCodeTaskFailedToStart, reason: "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm",
		},
		{
			name: "parameter missing",
			define: func(c *ecsFixture) types.ContainerDefinition {
				c.push("one")
				return c.web(c.uri+":one", func(d *types.ContainerDefinition) {
					d.Secrets = []types.Secret{{Name: aws.String("KEY"), ValueFrom: aws.String("/shop/missing")}}
				})
			},
			code: types.TaskStopCodeTaskFailedToStart, reason: "unable to retrieve secrets from ssm",
		},
		{
			name: "log group missing",
			define: func(c *ecsFixture) types.ContainerDefinition {
				c.push("one")
				return c.web(c.uri+":one", logsTo("shop"))
			},
			code: types.TaskStopCodeTaskFailedToStart, reason: "The specified log group does not exist",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newECSFixture(t, sandbox.Options{})
			good := c.push("good")
			c.s.SetTargetGroup(group, sandbox.TargetGroup{Type: "instance"})
			change := []func(*ecs.CreateServiceInput){breaker(true)}
			if test.service != nil {
				change = append(change, test.service)
			}
			c.create(c.define(c.web(c.uri+":good", port)), 2, change...)
			c.update(c.define(test.define(c)))
			if d := c.wait(); d.Status != types.ServiceDeploymentStatusRollbackSuccessful {
				t.Errorf("ended as %+v, want %v", d, types.ServiceDeploymentStatusRollbackSuccessful)
			}
			c.wantRunning(good, 2)
			reason := strings.ReplaceAll(test.reason, "HOST", strings.TrimSuffix(c.uri, "/shop"))
			failed := 0
			for _, task := range c.tasks(types.DesiredStatusStopped) {
				if !strings.Contains(aws.ToString(task.StoppedReason), reason) {
					continue
				}
				failed++
				if task.StopCode != test.code || aws.ToInt32(task.Containers[0].ExitCode) != test.exit {
					t.Errorf("a task is %s, %+v", task.StopCode, task.Containers[0])
				}
				if test.code == types.TaskStopCodeTaskFailedToStart && task.StartedAt != nil {
					t.Errorf("a task that did not start did at %s", task.StartedAt)
				}
			}
			if failed < 3 {
				for _, task := range c.tasks(types.DesiredStatusStopped) {
					t.Log(*task.StoppedReason)
				}
				t.Errorf("%d tasks have the reason %q, want 3 at least", failed, reason)
			}
		})
	}
}

func TestRoleMissing(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("one")
	c.create(c.define(c.web(c.uri+":one")), 1, breaker(true))
	out, err := c.ecs.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("shop"), ContainerDefinitions: []types.ContainerDefinition{c.web(c.uri + ":one")},
		ExecutionRoleArn: aws.String("arn:aws:iam::000000000000:role/missing"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.update(*out.TaskDefinition.TaskDefinitionArn)
	c.wait()
	for _, task := range c.tasks(types.DesiredStatusStopped) {
		if strings.HasPrefix(*task.StoppedReason, "ECS was unable to assume the role 'arn:aws:iam::000000000000:role/missing'") {
			return
		}
	}
	t.Error("no task names the role")
}

// Without room there is no task with a reason, only events and failures.
func TestNoCapacity(t *testing.T) {
	for _, test := range []struct {
		name   string
		launch types.LaunchType
		event  string
	}{
		{"fargate", types.LaunchTypeFargate, "was unable to place a task. Reason: Capacity is unavailable at this time."},
		{"ec2", types.LaunchTypeEc2, "was unable to place a task because no container instance met all of its requirements."},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newECSFixture(t, sandbox.Options{})
			good := c.push("good")
			c.push("full", "slipway.sandbox.capacity=none")
			define := func(tag string) string {
				out, err := c.ecs.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
					Family: aws.String("shop"), ContainerDefinitions: []types.ContainerDefinition{c.web(c.uri + ":" + tag)},
					RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, NetworkMode: types.NetworkModeAwsvpc,
					Cpu: aws.String("256"), Memory: aws.String("512"), ExecutionRoleArn: aws.String("arn:aws:iam::000000000000:role/execution"),
				})
				if err != nil {
					t.Fatal(err)
				}
				return *out.TaskDefinition.TaskDefinitionArn
			}
			c.create(define("good"), 2, breaker(true), func(in *ecs.CreateServiceInput) {
				in.LaunchType = test.launch
				in.NetworkConfiguration = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}}
			})
			c.update(define("full"))
			if d := c.wait(); d.Status != types.ServiceDeploymentStatusRollbackSuccessful {
				t.Errorf("ended as %+v, want %v", d, types.ServiceDeploymentStatusRollbackSuccessful)
			}
			c.wantEvent(test.event)
			c.wantRunning(good, 2)
			if stopped := c.tasks(types.DesiredStatusStopped); len(stopped) != 0 {
				t.Errorf("%d tasks were there", len(stopped))
			}
		})
	}
}

// A tag makes a cluster one without room, and room can come back.
func TestCapacityOfACluster(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("one")
	c.create(c.define(c.web(c.uri+":one")), 1)
	arn := "arn:aws:ecs:us-east-1:000000000000:cluster/shop"
	if _, err := c.ecs.TagResource(t.Context(), &ecs.TagResourceInput{
		ResourceArn: &arn, Tags: []types.Tag{{Key: aws.String("slipway.sandbox.capacity"), Value: aws.String("none")}},
	}); err != nil {
		t.Fatal(err)
	}
	c.update("")
	c.s.Advance(time.Minute)
	if p := c.service().Deployments[0]; p.FailedTasks < 3 || p.RunningCount+p.PendingCount != 0 {
		t.Errorf("the deployment is %+v", p)
	}
	if _, err := c.ecs.UntagResource(t.Context(), &ecs.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"slipway.sandbox.capacity"}}); err != nil {
		t.Fatal(err)
	}
	if d := c.wait(); d.Status != types.ServiceDeploymentStatusSuccessful {
		t.Errorf("ended as %+v, want %v", d, types.ServiceDeploymentStatusSuccessful)
	}
	if p := c.service().Deployments[0]; p.FailedTasks != 0 {
		t.Errorf("a healthy task leaves %d failures in a row", p.FailedTasks)
	}
}

func logsTo(group string) func(*types.ContainerDefinition) {
	return func(d *types.ContainerDefinition) {
		d.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
			"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs",
		}}
	}
}

func TestContainersWriteTheirLogs(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("one", "slipway.sandbox.log=from the image")
	logs := cloudwatchlogs.NewFromConfig(testkit.AWSConfig(c.s.URL()))
	if _, err := logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("shop")}); err != nil {
		t.Fatal(err)
	}
	other := c.web(c.uri+":one", logsTo("shop"), env("SLIPWAY_SANDBOX_LOG", "first\nsecond"))
	other.Name = aws.String("other")
	c.create(c.define(c.web(c.uri+":one", logsTo("shop")), other), 1)
	task := lastPart(*c.tasks(types.DesiredStatusRunning)[0].TaskArn)
	for container, want := range map[string]string{"web": "from the image", "other": "first\nsecond"} {
		out, err := logs.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String("shop"), LogStreamName: aws.String("ecs/" + container + "/" + task), StartFromHead: aws.Bool(true),
		})
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, e := range out.Events {
			lines = append(lines, *e.Message)
		}
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("%s wrote %q, want %q", container, got, want)
		}
	}
}

// An image that goes while its service is steady shows when a task must start.
func TestImageGoesUnderARunningService(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	digest := c.push("one")
	c.create(c.define(c.web(c.uri+":one")), 1)
	if _, err := c.ecr.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{
		RepositoryName: aws.String("shop"), ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: &digest}},
	}); err != nil {
		t.Fatal(err)
	}
	c.s.Advance(time.Hour)
	c.wantRunning(digest, 1)
	if _, err := c.ecs.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: aws.String("shop"), Task: c.tasks("")[0].TaskArn}); err != nil {
		t.Fatal(err)
	}
	c.s.Advance(time.Minute)
	c.wantRunning(digest, 0)
	if got := *c.tasks(types.DesiredStatusStopped)[0].StoppedReason; len(c.tasks(types.DesiredStatusStopped)) < 2 {
		t.Errorf("the task after the last one: %s", got)
	}
}
