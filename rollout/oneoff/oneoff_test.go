package oneoff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"slipway/internal/fault"
	"slipway/rollout/ecs"
	"slipway/rollout/task"
)

// fakeECS is a cluster. Its task definitions are not kept: each is registered.
type fakeECS struct {
	// tasks are those of the family, oldest first.
	tasks []*types.Task
	// hidden is how many DescribeTasks do not show the task that was started.
	hidden int
	// runs returns the answer to RunTask; nil starts a task that runs on.
	runs func(*awsecs.RunTaskInput) (*awsecs.RunTaskOutput, error)
	// looked is called at each DescribeTasks of one task.
	looked func()
	// stopErr is the answer to StopTask.
	stopErr  error
	requests []*awsecs.RunTaskInput
	stopped  int
}

const arn = "arn:aws:ecs:us-east-1:000000000000:task-definition/shop-migrate:1"

func (f *fakeECS) DescribeTaskDefinition(context.Context, *awsecs.DescribeTaskDefinitionInput, ...func(*awsecs.Options)) (*awsecs.DescribeTaskDefinitionOutput, error) {
	return nil, &types.ClientException{Message: aws.String("Unable to describe task definition.")}
}

func (f *fakeECS) RegisterTaskDefinition(context.Context, *awsecs.RegisterTaskDefinitionInput, ...func(*awsecs.Options)) (*awsecs.RegisterTaskDefinitionOutput, error) {
	return &awsecs.RegisterTaskDefinitionOutput{TaskDefinition: &types.TaskDefinition{TaskDefinitionArn: aws.String(arn)}}, nil
}

func (f *fakeECS) ListTasks(_ context.Context, in *awsecs.ListTasksInput, _ ...func(*awsecs.Options)) (*awsecs.ListTasksOutput, error) {
	out := &awsecs.ListTasksOutput{TaskArns: []string{}}
	for _, t := range f.tasks {
		if aws.ToString(t.DesiredStatus) == string(in.DesiredStatus) {
			out.TaskArns = append(out.TaskArns, *t.TaskArn)
		}
	}
	return out, nil
}

func (f *fakeECS) DescribeTasks(_ context.Context, in *awsecs.DescribeTasksInput, _ ...func(*awsecs.Options)) (*awsecs.DescribeTasksOutput, error) {
	if f.looked != nil && len(in.Tasks) == 1 {
		f.looked()
	}
	out := &awsecs.DescribeTasksOutput{}
	for _, asked := range in.Tasks {
		i := slices.IndexFunc(f.tasks, func(t *types.Task) bool { return *t.TaskArn == asked })
		if i < 0 || f.hidden > 0 {
			f.hidden--
			out.Failures = append(out.Failures, types.Failure{Arn: &asked, Reason: aws.String("MISSING")})
			continue
		}
		out.Tasks = append(out.Tasks, *f.tasks[i])
	}
	return out, nil
}

func (f *fakeECS) RunTask(ctx context.Context, in *awsecs.RunTaskInput, _ ...func(*awsecs.Options)) (*awsecs.RunTaskOutput, error) {
	f.requests = append(f.requests, in)
	if f.runs != nil {
		out, err := f.runs(in)
		return out, cmp.Or(ctx.Err(), err)
	}
	return &awsecs.RunTaskOutput{Tasks: []types.Task{*f.start(in)}}, nil
}

// start adds a task that runs.
func (f *fakeECS) start(in *awsecs.RunTaskInput) *types.Task {
	t := &types.Task{
		TaskArn: aws.String(fmt.Sprintf("arn:aws:ecs:us-east-1:000000000000:task/shop/%d", len(f.tasks))), StartedBy: in.StartedBy,
		CreatedAt: aws.Time(time.Now()), DesiredStatus: aws.String("RUNNING"), LastStatus: aws.String("RUNNING"),
		Containers: []types.Container{{Name: aws.String("migrate")}},
	}
	f.tasks = append(f.tasks, t)
	return t
}

func (f *fakeECS) StopTask(context.Context, *awsecs.StopTaskInput, ...func(*awsecs.Options)) (*awsecs.StopTaskOutput, error) {
	f.stopped++
	if f.stopErr == nil {
		ended(f.tasks[len(f.tasks)-1], types.TaskStopCodeUserInitiated, 143)
	}
	return &awsecs.StopTaskOutput{}, f.stopErr
}

// ended has a task be STOPPED.
func ended(t *types.Task, code types.TaskStopCode, exit int32) {
	t.DesiredStatus, t.LastStatus, t.StopCode = aws.String("STOPPED"), aws.String("STOPPED"), code
	t.StoppedReason, t.StartedAt = aws.String("reason of the end"), t.CreatedAt
	t.Containers[0].ExitCode = &exit
}

// fakeLogs is a log stream.
type fakeLogs struct {
	lines []string
	err   error
	calls int
}

func (f *fakeLogs) GetLogEvents(_ context.Context, in *cloudwatchlogs.GetLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	f.calls++
	out := &cloudwatchlogs.GetLogEventsOutput{Events: []logstypes.OutputLogEvent{}, NextForwardToken: aws.String("end")}
	if f.err == nil && in.NextToken == nil {
		for _, l := range f.lines {
			out.Events = append(out.Events, logstypes.OutputLogEvent{Message: &l})
		}
	}
	return out, f.err
}

// fakeHost keeps what is reported.
type fakeHost struct{ texts []string }

func (f *fakeHost) Infof(format string, args ...any) {
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

func (f *fakeHost) Warnf(format string, args ...any) {
	f.texts = append(f.texts, "WARNING: "+fmt.Sprintf(format, args...))
}

// says fails unless a report holds the text n times.
func (f *fakeHost) says(t *testing.T, n int, text string) {
	t.Helper()
	if got := strings.Count(strings.Join(f.texts, "\n"), text); got != n {
		t.Errorf("%q is reported %d times, want %d, in\n%s", text, got, n, strings.Join(f.texts, "\n"))
	}
}

// migrate is a task.
func migrate() Task {
	return Task{
		Definition: task.Definition{Before: "migrate", Services: []string{"migrate"}, Input: task.Input{
			Family: "shop-migrate", Containers: []task.Container{{
				Name: "migrate", Image: "shop/migrate@sha256:1", Essential: true,
				LogConfiguration: &task.Log{LogDriver: "awslogs", Options: map[string]string{"awslogs-group": "/ecs/shop", "awslogs-stream-prefix": "ecs"}},
			}},
		}},
		Service: ecs.Ref{Cluster: "shop", Service: "shop"}, Launch: ecs.Launch{Cluster: "shop"}, Deploys: []string{"web=sha256:1"},
	}
}

// fixture runs tasks in a cluster of its own, in the time of a bubble.
type fixture struct {
	*testing.T
	ecs  *fakeECS
	logs *fakeLogs
	host *fakeHost
}

func in(t *testing.T, test func(*fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(&fixture{t, &fakeECS{}, &fakeLogs{}, &fakeHost{}})
	})
}

func (f *fixture) run(what Task) (Outcome, error) {
	return Runner{ECS: f.ecs, Logs: f.logs, Host: f.host}.Run(f.Context(), what)
}

// ends lets the last task end after some looks.
func (f *fixture) ends(looks int, code types.TaskStopCode, exit int32) {
	f.ecs.looked = func() {
		if looks--; looks <= 0 && len(f.ecs.tasks) > 0 {
			if last := f.ecs.tasks[len(f.ecs.tasks)-1]; !hasStopped(*last) {
				ended(last, code, exit)
			}
		}
	}
}

// want fails unless a task ended so.
func (f *fixture) want(out Outcome, err error, status Status, kind fault.Kind) {
	f.Helper()
	if out.Status != status || fault.KindOf(err) != kind || (err == nil) != (kind == fault.Other) {
		f.Errorf("the task ended as %q (%s) with %v, want %q and the kind %v", out.Status, out.Reason, err, status, kind)
	}
}

func TestRunFollows(t *testing.T) {
	in(t, func(f *fixture) {
		f.ecs.hidden, f.logs.lines = 3, []string{"one", "two\nthree"}
		f.ends(8, types.TaskStopCodeEssentialContainerExited, 0)
		out, err := f.run(migrate())
		f.want(out, err, Succeeded, fault.Other)
		f.host.says(t, 1, "migrate | one")
		f.host.says(t, 1, "migrate | three")
	})
}

// TestRunStopped: a task that somebody stopped has not succeeded, whatever its exit code.
func TestRunStopped(t *testing.T) {
	in(t, func(f *fixture) {
		f.ends(2, types.TaskStopCodeUserInitiated, 0)
		out, err := f.run(migrate())
		f.want(out, err, Failed, fault.Rollout)
	})
}

func TestRunTimesOut(t *testing.T) {
	for _, stopErr := range []error{nil, errors.New("refused")} {
		in(t, func(f *fixture) {
			f.ecs.stopErr, f.logs.lines = stopErr, []string{"waits"}
			began := time.Now()
			out, err := f.run(migrate())
			f.want(out, err, TimedOut, fault.Rollout)
			if took := time.Since(began); took < DefaultTimeout || f.ecs.stopped != 1 {
				t.Errorf("%d StopTask within %s, want one after %s", f.ecs.stopped, took, DefaultTimeout)
			}
			if want := map[bool]string{true: "was stopped", false: "could not be stopped, so that it goes on: refused"}[stopErr == nil]; !strings.Contains(out.Reason, want) {
				t.Errorf("the reason is %q, want %q in it", out.Reason, want)
			}
			if out.Diagnosis == nil || !slices.Equal(out.Diagnosis.Log, []string{"waits"}) {
				t.Errorf("the diagnosis is %+v, want the lines of the log", out.Diagnosis)
			}
		})
	}
}

// TestRunLost: a task that ECS never shows may run, and is not started again.
func TestRunLost(t *testing.T) {
	in(t, func(f *fixture) {
		f.ecs.hidden = 1e6
		out, err := f.run(migrate())
		if err == nil || out.Status != Unfollowed || len(f.ecs.requests) != 1 || !strings.Contains(err.Error(), "ECS does not show task 0") {
			t.Errorf("the task ended as %q with %v after %d requests, want that ECS does not show it after one", out.Status, err, len(f.ecs.requests))
		}
	})
}

func TestRunLogDenied(t *testing.T) {
	in(t, func(f *fixture) {
		f.logs.err = &smithy.GenericAPIError{Code: "AccessDeniedException"}
		f.ends(5, types.TaskStopCodeEssentialContainerExited, 1)
		out, err := f.run(migrate())
		f.want(out, err, Failed, fault.Rollout)
		f.host.says(t, 1, "may not be read (logs:GetLogEvents on /ecs/shop)")
		if f.logs.calls != 1 || out.Diagnosis.Log != nil {
			t.Errorf("%d GetLogEvents and the lines %q, want one and none", f.logs.calls, out.Diagnosis.Log)
		}
	})
}

// TestRunCapacity: the reasons that pass are waited for.
func TestRunCapacity(t *testing.T) {
	for _, x := range []struct {
		reason string
		passes bool
	}{
		{"Capacity is unavailable at this time. Please try again later", true}, {"RESOURCE:MEMORY", true}, {"AGENT", true}, {"LOCATION", false},
	} {
		in(t, func(f *fixture) {
			left := 3
			f.ecs.runs = func(in *awsecs.RunTaskInput) (*awsecs.RunTaskOutput, error) {
				if left--; left > 0 {
					return &awsecs.RunTaskOutput{Failures: []types.Failure{{Reason: &x.reason}}}, nil
				}
				return &awsecs.RunTaskOutput{Tasks: []types.Task{*f.ecs.start(in)}}, nil
			}
			f.ends(1, types.TaskStopCodeEssentialContainerExited, 0)
			out, err := f.run(migrate())
			if x.passes {
				f.want(out, err, Succeeded, fault.Other)
				f.host.says(t, 1, "cannot be started yet")
			} else {
				f.want(out, err, Failed, fault.Rollout)
			}
		})
	}
}

// TestRunAnswerLost: a request without an answer may have started the task.
func TestRunAnswerLost(t *testing.T) {
	in(t, func(f *fixture) {
		f.ecs.runs = func(in *awsecs.RunTaskInput) (*awsecs.RunTaskOutput, error) {
			f.ecs.start(in)
			return nil, errors.New("no answer")
		}
		f.ends(4, types.TaskStopCodeEssentialContainerExited, 0)
		out, err := f.run(migrate())
		f.want(out, err, Succeeded, fault.Other)
	})
}

// TestRunSlowAnswer: an answer that comes after the time limit has started the task, which
// is stopped.
func TestRunSlowAnswer(t *testing.T) {
	in(t, func(f *fixture) {
		f.ecs.runs = func(in *awsecs.RunTaskInput) (*awsecs.RunTaskOutput, error) {
			time.Sleep(2 * DefaultTimeout)
			return &awsecs.RunTaskOutput{Tasks: []types.Task{*f.ecs.start(in)}}, nil
		}
		out, err := f.run(migrate())
		f.want(out, err, TimedOut, fault.Rollout)
		if f.ecs.stopped != 1 {
			t.Errorf("%d StopTask, want one", f.ecs.stopped)
		}
	})
}

// TestRunAgain: which tasks count as those of the same rollout.
func TestRunAgain(t *testing.T) {
	in(t, func(f *fixture) {
		f.ends(1, types.TaskStopCodeEssentialContainerExited, 0)
		again := func(what Task, status Status, requests int) *awsecs.RunTaskInput {
			t.Helper()
			out, err := f.run(what)
			f.want(out, err, status, fault.Other)
			if len(f.ecs.requests) != requests {
				t.Fatalf("%d RunTask, want %d", len(f.ecs.requests), requests)
			}
			time.Sleep(time.Second) // the tasks of the bubble have different times
			return f.ecs.requests[requests-1]
		}
		other := migrate()
		other.Deploys = []string{"web=sha256:2"}
		first := again(migrate(), Succeeded, 1)
		again(migrate(), Earlier, 1)
		second := again(other, Succeeded, 2)
		again(other, Earlier, 2)
		// The last one of the family is of another rollout.
		third := again(migrate(), Succeeded, 3)
		if *first.StartedBy != *third.StartedBy || *first.StartedBy == *second.StartedBy {
			t.Errorf("startedBy is %q, %q, %q, want that of the first and the third to be equal", *first.StartedBy, *second.StartedBy, *third.StartedBy)
		}
		if *first.ClientToken == *third.ClientToken {
			t.Errorf("the token %q is used for another task", *first.ClientToken)
		}
		// A failed one runs again, with another token.
		ended(f.ecs.tasks[2], types.TaskStopCodeEssentialContainerExited, 1)
		if fourth := again(migrate(), Succeeded, 4); *fourth.ClientToken == *third.ClientToken {
			t.Errorf("the token %q names the task that has failed", *third.ClientToken)
		}
	})
}

// TestRunWaits: another task of the family ends first.
func TestRunWaits(t *testing.T) {
	in(t, func(f *fixture) {
		f.ecs.start(&awsecs.RunTaskInput{StartedBy: aws.String("somebody")})
		f.ends(3, types.TaskStopCodeEssentialContainerExited, 0)
		out, err := f.run(migrate())
		f.want(out, err, Succeeded, fault.Other)
		f.host.says(t, 1, "waiting for the end of task 0, of another rollout")
		if len(f.ecs.tasks) != 2 {
			t.Errorf("%d tasks have run, want 2", len(f.ecs.tasks))
		}
	})
	in(t, func(f *fixture) {
		f.ecs.start(&awsecs.RunTaskInput{StartedBy: aws.String("somebody")})
		out, err := f.run(migrate())
		var busy *BusyError
		if !errors.As(err, &busy) || len(f.ecs.requests)+f.ecs.stopped != 0 {
			t.Errorf("the task ended as %q with %v after %d RunTask and %d StopTask, want a *BusyError after none", out.Status, err, len(f.ecs.requests), f.ecs.stopped)
		}
		f.want(out, err, Failed, fault.Rollout)
	})
}

// TestMark: startedBy and the token keep to ECS's bounds (RunTask in the API reference).
func TestMark(t *testing.T) {
	long := migrate()
	long.Service.Service = "arn:aws:ecs:us-east-1:000000000000:service/shop/" + strings.Repeat("a", 255)
	long.Launch.Platform, long.Launch.Type = "1.4.0", types.LaunchTypeFargate
	for _, what := range []Task{migrate(), long} {
		j := &job{Task: what, name: "migrate", arn: arn}
		j.startedBy = j.mark()
		if !regexp.MustCompile(`^[a-zA-Z0-9/_-]{1,128}$`).MatchString(j.startedBy) {
			t.Errorf("startedBy is %q, want up to 128 of ECS's characters", j.startedBy)
		}
		one, err := j.request([]string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		same, _ := j.request([]string{"b", "a"})
		if len(*one.ClientToken) > 64 || *one.ClientToken != *same.ClientToken {
			t.Errorf("the token is %q, then %q, want one of up to 64 characters", *one.ClientToken, *same.ClientToken)
		}
	}
}
