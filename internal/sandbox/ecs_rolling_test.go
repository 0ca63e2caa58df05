package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
)

func lastPart(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

func TestRollingDeployment(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	first := c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 2)
	c.wantRunning(first, 2)
	old := c.service()

	second := c.push("latest")
	answer := c.update("")
	primary := answer.Deployments[0]
	if *primary.Status != "PRIMARY" || primary.RolloutState != types.DeploymentRolloutStateInProgress || *answer.Deployments[1].Status != "ACTIVE" ||
		*primary.Id == *old.Deployments[0].Id || *answer.TaskDefinition != *old.TaskDefinition {
		t.Errorf("the answer is %+v", answer.Deployments)
	}
	brief := c.deployments()[0]
	if brief.FinishedAt != nil || *brief.ServiceDeploymentArn != *answer.CurrentServiceDeployment ||
		lastPart(*brief.TargetServiceRevisionArn) != lastPart(*primary.Id) {
		t.Errorf("the new deployment is %+v of %s", brief, *primary.Id)
	}

	d := c.wait()
	if d.Status != types.ServiceDeploymentStatusSuccessful || d.StartedAt == nil || d.TargetServiceRevision.RunningTaskCount != 2 {
		t.Errorf("ended as %+v", d)
	}
	c.wantRunning(second, 2)
	now := c.service()
	if len(now.Deployments) != 1 || *now.Deployments[0].Id != *primary.Id || now.Deployments[0].RolloutState != types.DeploymentRolloutStateCompleted ||
		now.RunningCount != 2 || now.PendingCount != 0 || *now.CurrentServiceRevisions[0].Arn != *brief.TargetServiceRevisionArn {
		t.Errorf("the service is %+v", now)
	}
	r := c.revision(*brief.TargetServiceRevisionArn)
	if got := r.ContainerImages[0]; *got.ContainerName != "web" || *got.Image != c.uri+":latest" || *got.ImageDigest != second {
		t.Errorf("the revision resolved %+v", got)
	}
	for _, task := range c.tasks(types.DesiredStatusRunning) {
		if *task.StartedBy != *primary.Id || *task.Group != "service:shop" || *task.Containers[0].ImageDigest != second {
			t.Errorf("a task is %+v", task)
		}
	}
	for _, task := range c.tasks(types.DesiredStatusStopped) {
		if *task.StoppedReason != "Scaling activity initiated by (deployment "+*primary.Id+")" ||
			task.StopCode != types.TaskStopCodeServiceSchedulerInitiated || *task.LastStatus != "STOPPED" || *task.Containers[0].ExitCode != 143 {
			t.Errorf("an old task is %+v", task)
		}
	}
	for _, text := range []string{
		"(service shop) has started 2 tasks: (task ", "(service shop) has stopped 2 tasks: (task ",
		"(service shop) has reached a steady state.", "(service shop) (deployment " + *primary.Id + ") deployment completed.",
	} {
		c.wantEvent(text)
	}
	for i, e := range now.Events[1:] {
		if e.CreatedAt.After(*now.Events[i].CreatedAt) {
			t.Errorf("events are not newest first: %v after %v", e.CreatedAt, now.Events[i].CreatedAt)
		}
	}
}

func TestTasksGoThroughTheirStates(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("latest")
	definition := c.define(c.web(c.uri+":latest", func(d *types.ContainerDefinition) {
		d.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "true"}, Interval: aws.Int32(5)}
	}))
	_, err := c.ecs.CreateService(t.Context(), &ecs.CreateServiceInput{
		Cluster: aws.String("shop"), ServiceName: aws.String("shop"), TaskDefinition: &definition, DesiredCount: aws.Int32(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for range 20 {
		c.s.Advance(time.Second)
		for _, task := range c.tasks(types.DesiredStatusRunning) {
			if s := *task.LastStatus + " " + string(task.HealthStatus); len(seen) == 0 || seen[len(seen)-1] != s {
				seen = append(seen, s)
			}
		}
	}
	if got, want := strings.Join(seen, ", "), "PROVISIONING UNKNOWN, PENDING UNKNOWN, RUNNING UNKNOWN, RUNNING HEALTHY"; got != want {
		t.Errorf("states are %s, want %s", got, want)
	}
}

// ECS resolves tags once, when a deployment starts.
func TestVersionConsistency(t *testing.T) {
	for _, disabled := range []bool{false, true} {
		c := newECSFixture(t, sandbox.Options{})
		first := c.push("latest")
		c.create(c.define(c.web(c.uri+":latest", func(d *types.ContainerDefinition) {
			if disabled {
				d.VersionConsistency = types.VersionConsistencyDisabled
			}
		})), 1)
		second := c.push("latest")
		task := c.tasks(types.DesiredStatusRunning)[0]
		if _, err := c.ecs.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: aws.String("shop"), Task: task.TaskArn, Reason: aws.String("try")}); err != nil {
			t.Fatal(err)
		}
		c.s.Advance(time.Minute)
		want := first
		if disabled {
			want = second
		}
		c.wantRunning(want, 1)
		stopped := c.tasks(types.DesiredStatusStopped)[0]
		if *stopped.StoppedReason != "try" || stopped.StopCode != types.TaskStopCodeUserInitiated {
			t.Errorf("the task that was stopped is %+v", stopped)
		}
		if len(c.deployments()) != 1 {
			t.Errorf("stopping a task made a deployment")
		}
		r := c.revision(*c.deployments()[0].TargetServiceRevisionArn)
		if got := r.ContainerImages[0].ImageDigest; disabled && got != nil || !disabled && *got != first {
			t.Errorf("resolved to %v", aws.ToString(got))
		}
		c.update("")
		c.wait()
		c.wantRunning(second, 1)
	}
}

func TestANewerDeploymentStopsTheOneUnderWay(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("one")
	c.push("two", "slipway.sandbox.exit=1")
	third := c.push("three")
	c.create(c.define(c.web(c.uri+":one")), 2)
	c.update(c.define(c.web(c.uri + ":two")))
	c.s.Advance(8 * time.Second)
	c.update(c.define(c.web(c.uri + ":three")))
	if d := c.wait(); d.Status != types.ServiceDeploymentStatusSuccessful {
		t.Errorf("ended as %+v, want %v", d, types.ServiceDeploymentStatusSuccessful)
	}
	c.wantRunning(third, 2)
	if d := c.deployments()[1]; d.Status != types.ServiceDeploymentStatusStopped || d.FinishedAt == nil {
		t.Errorf("the one before is %+v", d)
	}
	if n := len(c.deployments()); n != 3 {
		t.Errorf("%d deployments, want 3", n)
	}
}

func TestScalingMakesNoDeployment(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	first := c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 1)
	c.push("latest")
	for _, n := range []int32{3, 0, 2} {
		out, err := c.ecs.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String("shop"), Service: aws.String("shop"), DesiredCount: &n})
		if err != nil {
			t.Fatal(err)
		}
		if out.Service.DesiredCount != n || len(out.Service.Deployments) != 1 {
			t.Errorf("the answer is %+v", out.Service)
		}
		c.s.Advance(time.Minute)
		c.wantRunning(first, int(n))
	}
	same := *c.service().TaskDefinition
	if _, err := c.ecs.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String("shop"), Service: aws.String("shop"), TaskDefinition: &same}); err != nil {
		t.Fatal(err)
	}
	if n := len(c.deployments()); n != 1 {
		t.Errorf("%d deployments, want 1", n)
	}
}

func TestStoppedTasksStayAnHour(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 1)
	c.update("")
	c.wait()
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{58 * time.Minute, 1}, {3 * time.Minute, 0}} {
		c.s.Advance(step.after)
		if got := c.tasks(types.DesiredStatusStopped); len(got) != step.want {
			t.Errorf("%d stopped tasks after %s more, want %d", len(got), step.after, step.want)
		}
	}
}

func TestListTasksBeyondOnePage(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	first := c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 230)
	out, err := c.ecs.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String("shop")})
	if err != nil || len(out.TaskArns) != 100 || out.NextToken == nil {
		t.Errorf("the first page has %d tasks, %v", len(out.TaskArns), err)
	}
	if got := c.tasks(""); len(got) != 230 {
		t.Errorf("%d tasks on all pages, want 230", len(got))
	}
	c.wantRunning(first, 230)
	for _, in := range []ecs.ListTasksInput{
		{ServiceName: aws.String("shop"), StartedBy: c.service().Deployments[0].Id}, {Family: aws.String("shop")},
	} {
		in.Cluster, in.MaxResults = aws.String("shop"), aws.Int32(7)
		if out, err := c.ecs.ListTasks(t.Context(), &in); err != nil || len(out.TaskArns) != 7 {
			t.Errorf("with %+v: %d tasks, %v", in, len(out.TaskArns), err)
		}
	}
	for _, in := range []ecs.ListTasksInput{{StartedBy: aws.String("me")}, {Family: aws.String("sho")}, {DesiredStatus: types.DesiredStatusStopped}} {
		in.Cluster = aws.String("shop")
		if out, err := c.ecs.ListTasks(t.Context(), &in); err != nil || len(out.TaskArns) != 0 {
			t.Errorf("with %+v: %d tasks, %v", in, len(out.TaskArns), err)
		}
	}
}
