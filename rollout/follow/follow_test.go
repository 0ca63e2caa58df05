package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/ecs"
)

// followAll follows with a deadline that no test should reach.
func followAll(t *testing.T, w *fakeECS, ds ...ecs.Deployment) ([]Outcome, *progressRecorder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	n := &progressRecorder{}
	outcomes := Follower{ECS: w, CodeDeploy: w, Logs: w}.Follow(ctx, ds, n.report)
	if ctx.Err() != nil {
		t.Error("the deadline passed")
	}
	return outcomes, n
}

func wantOutcome(t *testing.T, o Outcome, status Status, parts ...string) {
	t.Helper()
	if o.Status != status {
		t.Errorf("got %s (%s), want %s", o.Status, o.Reason, status)
	}
	for _, p := range parts {
		if !strings.Contains(o.Reason, p) {
			t.Errorf("reason %q lacks %q", o.Reason, p)
		}
	}
	if (o.Diagnosis == nil) != (status == Succeeded) {
		t.Errorf("diagnosis %v for %s", o.Diagnosis, status)
	}
}

// succeedWith lets a deployment of service web go through its stages and
// succeed.
func (w *fakeECS) succeedWith(digest string) {
	w.after(2*time.Second, func() {
		w.status("web", "9", types.ServiceDeploymentStatusInProgress, "")
		w.event("web", "e1", "has started 1 tasks: (task t9).")
		w.primary("web", func(d *types.Deployment) { d.PendingCount = 1 })
	})
	w.after(10*time.Second, func() {
		w.primary("web", func(d *types.Deployment) { d.PendingCount, d.RunningCount = 0, 1 })
		w.event("web", "e2", "registered 1 targets")
		w.event("web", "e3", "has stopped 1 running tasks")
		w.run("web", "t9", "ecs-svc/9", digest)
	})
	w.after(20*time.Second, func() { w.status("web", "9", types.ServiceDeploymentStatusSuccessful, "") })
}

func TestFollowSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.deployment("web", "9", 1)
		w.succeedWith(digestA)
		outcomes, n := followAll(t, w, d)
		o := outcomes[0]
		wantOutcome(t, o, Succeeded)
		if o.Running["web"][digestA] != 1 || o.Deployment.ARN != w.arnOf("web", "9") {
			t.Errorf("running %v, ARN %s", o.Running, o.Deployment.ARN)
		}
		wantTexts(t, n, Counts, "0 of 1 running", "0 of 1 running, 1 pending", "1 of 1 running")
		wantTexts(t, n, Event, "has started 1 tasks: (task t9).", "registered 1 targets", "has stopped 1 running tasks")
		wantTexts(t, n, Stage, "waiting to begin", "under way")
		wantTexts(t, n, Ended, "succeeded")
		if last := n.list[len(n.list)-1]; last.Kind != Ended || last.Running != 1 || last.Desired != 1 || last.Service != d.Service.Ref {
			t.Errorf("the last progress is %+v", last)
		}
	})
}

// The stages and hooks of the strategies that shift traffic are reported in
// plain words.
func TestFollowStages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.deployment("web", "9", 0)
		w.revisions[w.revisionOf("web", "9")] = types.ServiceRevision{
			ServiceRevisionArn: aws.String(w.revisionOf("web", "9")),
			ContainerImages:    []types.ContainerImage{{ContainerName: aws.String("web"), ImageDigest: aws.String(digestA)}},
		}
		stage := func(s types.ServiceDeploymentLifecycleStage, hooks ...types.DeploymentLifecycleHookDetail) func() {
			return func() {
				w.status("web", "9", types.ServiceDeploymentStatusInProgress, "")
				sd := w.deployments[w.arnOf("web", "9")]
				sd.LifecycleStage, sd.LifecycleHookDetails = s, hooks
				w.deployments[w.arnOf("web", "9")] = sd
			}
		}
		w.after(10*time.Second, stage(types.ServiceDeploymentLifecycleStageScaleUp))
		w.after(20*time.Second, stage("SOME_NEW_STAGE"))
		w.after(30*time.Second, stage(types.ServiceDeploymentLifecycleStageBakeTime, types.DeploymentLifecycleHookDetail{
			Status: types.DeploymentLifecycleHookStatusAwaitingAction, HookId: aws.String("h1"),
			ExpiresAt: aws.Time(time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)), TimeoutAction: types.DeploymentLifecycleHookActionRollback,
		}))
		w.after(40*time.Second, func() {
			w.status("web", "9", types.ServiceDeploymentStatusRollbackInProgress, "")
			sd := w.deployments[w.arnOf("web", "9")]
			sd.Rollback = &types.Rollback{Reason: aws.String("A hook asked for it.")}
			sd.LifecycleStage, sd.LifecycleHookDetails = types.ServiceDeploymentLifecycleStageCleanUp, nil
			w.deployments[w.arnOf("web", "9")] = sd
		})
		w.after(50*time.Second, func() {
			w.status("web", "9", types.ServiceDeploymentStatusRollbackSuccessful, "The deployment was rolled back.")
		})
		outcomes, n := followAll(t, w, d)
		wantOutcome(t, outcomes[0], RolledBack, "The deployment was rolled back; A hook asked for it")
		wantTexts(t, n, Stage, "waiting to begin", "starting the new tasks", "some new stage",
			"baking: old and new tasks run side by side (paused by a lifecycle hook until 2026-11-22T04:00:00Z, then rollback)",
			"rolling back; A hook asked for it, stopping the old tasks")
		wantTexts(t, n, Paused, "paused by a lifecycle hook until 2026-11-22T04:00:00Z, then rollback")
	})
}

// All ends but success. In each the service is stable again in the end, which
// must not mislead.
func TestFollowEnds(t *testing.T) {
	tests := map[string]struct {
		do     func(w *fakeECS)
		status Status
		reason string
	}{
		"stopped": {func(w *fakeECS) { w.status("web", "9", types.ServiceDeploymentStatusStopped, "Stopped by a user.") },
			Failed, "ECS stopped it; Stopped by a user"},
		"replaced": {func(w *fakeECS) {
			w.status("web", "9", types.ServiceDeploymentStatusStopped, "")
			w.deployments[w.arnOf("web", "10")] = types.ServiceDeployment{
				ServiceArn: aws.String("service/web"), CreatedAt: aws.Time(time.Now()), Status: types.ServiceDeploymentStatusInProgress,
				TargetServiceRevision: &types.ServiceRevisionSummary{Arn: aws.String(w.revisionOf("web", "10"))},
			}
		}, Superseded, "it was replaced by deployment d10, which deploys revision 10"},
		"replaced, and listed late": {func(w *fakeECS) {
			w.status("web", "9", types.ServiceDeploymentStatusStopped, "")
			created := time.Now()
			w.after(8*time.Second, func() {
				w.deployments[w.arnOf("web", "10")] = types.ServiceDeployment{
					ServiceArn: aws.String("service/web"), CreatedAt: aws.Time(created),
					TargetServiceRevision: &types.ServiceRevisionSummary{Arn: aws.String("r/10")},
				}
			})
		}, Superseded, "it was replaced by deployment d10"},
		"replaced, as the service tells": {func(w *fakeECS) {
			w.status("web", "9", types.ServiceDeploymentStatusStopped, "")
			w.primary("web", func(d *types.Deployment) {
				d.Id, d.CreatedAt, d.TaskDefinition = aws.String("ecs-svc/10"), aws.Time(time.Now()), aws.String("x:task-definition/web:8")
			})
		}, Superseded, "it was replaced by deployment ecs-svc/10, which deploys web:8"},
		"replaced after success": {func(w *fakeECS) {
			w.status("web", "9", types.ServiceDeploymentStatusSuccessful, "")
			w.primary("web", func(d *types.Deployment) {
				d.Id, d.CreatedAt, d.TaskDefinition = aws.String("ecs-svc/10"), aws.Time(time.Now()), aws.String("x:task-definition/web:8")
			})
		}, Superseded, "it was SUCCESSFUL, and then it was replaced by deployment ecs-svc/10"},
		"rolled back": {func(w *fakeECS) {
			w.status("web", "9", types.ServiceDeploymentStatusRollbackInProgress, "")
			w.after(time.Minute, func() {
				sd := w.deployments[w.arnOf("web", "9")]
				sd.Status, sd.StatusReason = types.ServiceDeploymentStatusRollbackSuccessful, aws.String("Deployment circuit breaker was triggered.")
				sd.DeploymentCircuitBreaker = &types.ServiceDeploymentCircuitBreaker{Status: types.ServiceDeploymentRollbackMonitorsStatusTriggered, FailureCount: 3, Threshold: 3}
				sd.Alarms = &types.ServiceDeploymentAlarms{TriggeredAlarmNames: []string{"web-5xx", "web-slow"}}
				w.deployments[w.arnOf("web", "9")] = sd
			})
		}, RolledBack, "Deployment circuit breaker was triggered; alarms triggered: web-5xx, web-slow; the circuit breaker counted 3 failed tasks, with a threshold of 3"},
		"rollback failed": {func(w *fakeECS) { w.status("web", "9", types.ServiceDeploymentStatusRollbackFailed, "No room.") },
			Failed, "the rollback failed; No room"},
		"service deleted": {func(w *fakeECS) { delete(w.services, "web") }, Failed, "the service was deleted"},
		"service inactive": {func(w *fakeECS) {
			s := w.services["web"]
			s.Status = aws.String("DRAINING")
			w.services["web"] = s
		}, Failed, "the service was deleted"},
		"service inactive, as its tasks tell": {func(w *fakeECS) {
			w.event("web", "e", "is draining")
			w.fail = func(operation string, _ int) error {
				if operation == "ListTasks STOPPED" {
					return fmt.Errorf("operation error: %w", &types.ServiceNotActiveException{})
				}
				return nil
			}
		}, Failed, "the service was deleted"},
		"cluster deleted": {func(w *fakeECS) {
			w.fail = func(string, int) error { return &types.ClusterNotFoundException{} }
		}, Failed, "the service was deleted"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFakeECS()
				d := w.deployment("web", "9", 1)
				w.run("web", "t1", "ecs-svc/1", digestB)
				w.after(30*time.Second, func() { tt.do(w) })
				outcomes, n := followAll(t, w, d)
				wantOutcome(t, outcomes[0], tt.status, tt.reason)
				if ended := n.texts(Ended); len(ended) != 1 || !strings.HasPrefix(ended[0], string(tt.status)+"; ") {
					t.Errorf("ended: %q", ended)
				}
			})
		})
	}
}

func TestFollowContextEnds(t *testing.T) {
	for status, end := range map[Status]func(context.Context) (context.Context, context.CancelFunc){
		TimedOut: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		},
		Interrupted: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Minute, cancel)
			return ctx, cancel
		},
	} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFakeECS()
				ds := []ecs.Deployment{w.deployment("web", "9", 1), w.deployment("api", "5", 1)}
				w.run("api", "t1", "ecs-svc/1", digestB)
				w.after(10*time.Second, func() { w.stop("api", "t5", "ecs-svc/5", 1); w.event("api", "e", "has started 1 tasks") })
				w.succeedWith(digestA)
				ctx, cancel := end(t.Context())
				defer cancel()
				n := &progressRecorder{}
				outcomes := Follower{ECS: w, Logs: w}.Follow(ctx, ds, n.report)
				wantOutcome(t, outcomes[0], Succeeded)
				wantOutcome(t, outcomes[1], status)
				if outcomes[1].Running["web"][digestB] != 1 || outcomes[1].Diagnosis.Groups[0].Count != 1 {
					t.Errorf("Follow: running %v, stopped tasks %+v; want one task with %s and a group of one", outcomes[1].Running, outcomes[1].Diagnosis.Groups, digestB)
				}
				if len(n.texts(Ended)) != 2 {
					t.Errorf("ended: %q", n.texts(Ended))
				}
			})
		})
	}
}

// What throttles, fails or does not answer is reported once and asked again;
// the end comes all the same.
func TestFollowPassingErrors(t *testing.T) {
	for _, err := range []error{refused("ThrottlingException"), statusError(503), &netError{}} {
		t.Run(fmt.Sprintf("%T", err), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFakeECS()
				d := w.deployment("web", "9", 1)
				w.succeedWith(digestA)
				w.fail = func(operation string, n int) error {
					if n%2 == 1 {
						return fmt.Errorf("operation error: %w", err)
					}
					return nil
				}
				outcomes, n := followAll(t, w, d)
				wantOutcome(t, outcomes[0], Succeeded)
				seen := map[string]int{}
				for _, text := range n.texts(Event) {
					seen[text]++
					if seen[text] > 1 {
						t.Errorf("reported twice: %s", text)
					}
				}
				if len(n.texts(Event)) < 5 {
					t.Errorf("events %q", n.texts(Event))
				}
			})
		})
	}
}

// statusError is an answer that has no more than a status.
type statusError int

func (e statusError) Error() string       { return fmt.Sprint("status ", int(e)) }
func (e statusError) HTTPStatusCode() int { return int(e) }

type netError struct{}

func (*netError) Error() string   { return "connection reset by peer" }
func (*netError) Timeout() bool   { return false }
func (*netError) Temporary() bool { return true }

func TestFollowRefused(t *testing.T) {
	deny := func(operations ...string) func(string, int) error {
		return func(operation string, _ int) error {
			if slices.Contains(operations, operation) {
				return refused("AccessDeniedException")
			}
			return nil
		}
	}
	t.Run("services", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newFakeECS()
			d := w.deployment("web", "9", 1)
			w.fail = deny("DescribeServices")
			outcomes, _ := followAll(t, w, d)
			wantOutcome(t, outcomes[0], Unverified, "describing shop/web", "AccessDenied")
			if outcomes[0].Err == nil {
				t.Error("no Err")
			}
		})
	})
	t.Run("tasks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newFakeECS()
			d := w.deployment("web", "9", 1)
			w.succeedWith(digestA)
			w.fail = deny("DescribeTasks", "ListTasks STOPPED")
			outcomes, n := followAll(t, w, d)
			wantOutcome(t, outcomes[0], Unverified, "it is SUCCESSFUL, but the running images could not be verified")
			if outcomes[0].Err == nil || len(n.texts(Event)) != 4 {
				t.Errorf("err %v, events %q", outcomes[0].Err, n.texts(Event))
			}
		})
	})
	for _, operation := range []string{"ListServiceDeployments", "DescribeServiceDeployments"} {
		t.Run(operation, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFakeECS()
				d := w.deployment("web", "9", 1)
				w.succeedWith(digestA)
				w.after(40*time.Second, func() {
					w.primary("web", func(d *types.Deployment) { d.RolloutState = types.DeploymentRolloutStateCompleted })
				})
				w.fail = deny(operation)
				outcomes, n := followAll(t, w, d)
				wantOutcome(t, outcomes[0], Succeeded)
				if got := n.texts(Event); len(got) != 4 || !strings.Contains(got[0], "following it with DescribeServices") {
					t.Errorf("events %q", got)
				}
				if time.Since(d.Created) < 40*time.Second || w.calls[operation] != 1 {
					t.Errorf("ended after %s, %d calls", time.Since(d.Created), w.calls[operation])
				}
			})
		})
	}
}

// A deployment that ECS never lists is followed by what the service tells.
func TestFollowNeverListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.deployment("web", "9", 1)
		clear(w.deployments)
		w.run("web", "t9", "ecs-svc/9", digestA)
		w.primary("web", func(d *types.Deployment) { d.RolloutState = types.DeploymentRolloutStateCompleted })
		outcomes, n := followAll(t, w, d)
		wantOutcome(t, outcomes[0], Succeeded)
		if len(n.texts(Event)) != 1 {
			t.Errorf("events %q", n.texts(Event))
		}
	})
}

// Stopped tasks are reported once, only ours, with their exit codes, and
// described once.
func TestFollowStoppedTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		w.pageSize = 2
		d := w.deployment("web", "9", 1)
		w.run("web", "t1", "ecs-svc/1", digestB)
		for i := range 5 {
			w.stop("web", fmt.Sprint("old", i), "ecs-svc/1", 0)
		}
		for i := range 3 {
			w.after(time.Duration(i+1)*10*time.Second, func() {
				w.stop("web", fmt.Sprint("new", i), "ecs-svc/9", 1)
				w.primary("web", func(d *types.Deployment) { d.FailedTasks++ })
			})
		}
		w.after(27*time.Second, func() {
			w.stop("web", "slow", "ecs-svc/9", 143)
			last := &w.tasks["web"][len(w.tasks["web"])-1]
			last.LastStatus, last.Containers = aws.String("STOPPING"), nil
			w.event("web", "e", "something happened")
		})
		w.after(40*time.Second, func() {
			w.forget("web", "slow")
			w.stop("web", "slow", "ecs-svc/9", 143)
		})
		w.after(60*time.Second, func() {
			w.status("web", "9", types.ServiceDeploymentStatusRollbackSuccessful, "")
			w.stop("web", "last", "ecs-svc/9", 1)
		})
		outcomes, n := followAll(t, w, d)
		wantOutcome(t, outcomes[0], RolledBack)
		// They are reported when they stop, not when all is over.
		for text, seconds := range map[string]float64{"task new0": 10, "task new1": 20, "task new2": 30, "task slow": 40, "task last": 60} {
			i := slices.IndexFunc(n.list, func(p Progress) bool { return strings.HasPrefix(p.Text, text) })
			if after := n.at[max(i, 0)].Sub(d.Created).Seconds(); i < 0 || after < seconds || after > seconds+5.5 {
				t.Errorf("%s was reported after %.0f s", text, after)
			}
		}
		wantTexts(t, n, Stopped,
			"task new0: Essential container in task exited; web exited with 1",
			"task new1: Essential container in task exited; web exited with 1",
			"task new2: Essential container in task exited; web exited with 1",
			"task slow: Essential container in task exited; web exited with 143",
			"task last: Essential container in task exited; web exited with 1")
		for task, times := range w.described {
			if times > 1 && !strings.HasSuffix(task, "/slow") && !strings.HasSuffix(task, "/t1") {
				t.Errorf("%s was described %d times", task, times)
			}
		}
		if g := outcomes[0].Diagnosis.Groups; len(g) != 2 || g[0].Count != 4 || g[1].Count != 1 {
			t.Errorf("groups %+v", g)
		}
	})
}

// Thirty services: the calls of a round do not grow with them, and tasks are
// not asked for when nothing happens.
func TestFollowManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		var ds []ecs.Deployment
		for i := range 30 {
			name := fmt.Sprint("s", i)
			d := w.deployment(name, fmt.Sprint(100+i), 1)
			w.run(name, fmt.Sprint("t", i), d.ID, digestA)
			w.after(5*time.Minute, func() { w.status(name, fmt.Sprint(100+i), types.ServiceDeploymentStatusSuccessful, "") })
			ds = append(ds, d)
		}
		outcomes, _ := followAll(t, w, ds...)
		for i, o := range outcomes {
			if o.Deployment.ID != ds[i].ID {
				t.Errorf("outcome %d is of %s, want %v", i, o.Deployment.ID, ds[i].ID)
			}
			wantOutcome(t, o, Succeeded)
		}
		rounds := w.calls["DescribeServices"] / 3
		// 500 ms, then half as long again, up to 5 s: 7 pauses for the first 13
		// s.
		if rounds < 60 || rounds > 70 {
			t.Errorf("%d rounds in five minutes", rounds)
		}
		want := map[string]int{
			"DescribeServices": 3 * rounds, "DescribeServiceDeployments": 2 * rounds, "ListServiceDeployments": 30,
			"ListTasks RUNNING": 30, "ListTasks STOPPED": 30, "DescribeTasks": 30,
		}
		for operation, n := range w.calls {
			if n > want[operation] {
				t.Errorf("%s: %d calls, want at most %d", operation, n, want[operation])
			}
		}
	})
}

func TestPauses(t *testing.T) {
	var p Pauses
	var got []time.Duration
	for d := p.first(); len(got) < 9; d = p.next(d) {
		got = append(got, d.Round(time.Millisecond))
	}
	want := []time.Duration{500, 750, 1125, 1688, 2531, 3797, 5000, 5000, 5000}
	for i := range want {
		if got[i] != want[i]*time.Millisecond {
			t.Fatalf("got %v, want %v, in milliseconds", got, want)
		}
	}
	if p := (Pauses{First: 10 * time.Second}); p.next(p.first()) != 10*time.Second {
		t.Error("a first pause above the greatest is not kept")
	}
}

func TestFollowNothing(t *testing.T) {
	if got := (Follower{}).Follow(t.Context(), nil, nil); len(got) != 0 {
		t.Errorf("Follow of no deployments returned %v, want nothing", got)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("before it began"))
	w := newFakeECS()
	got := Follower{ECS: w}.Follow(ctx, []ecs.Deployment{{Service: ecs.Service{Ref: ecs.Ref{Service: "web"}}, ID: "ecs-svc/1"}}, nil)
	if got[0].Status != Interrupted {
		t.Errorf("Follow with a cancelled context returned %+v, want %s and no calls", got[0], Interrupted)
	}
}
