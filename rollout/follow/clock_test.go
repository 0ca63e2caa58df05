package follow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/ecs"
)

const limit = 15 * time.Minute

// underWay lets all new tasks of a deployment of service web run at the
// beginning, while ECS wants so many old ones; the deployment is IN_PROGRESS.
func (w *fakeECS) underWay(running, old int32, change func(*types.ServiceDeployment)) {
	w.change(func() {
		w.status("web", "9", types.ServiceDeploymentStatusInProgress, "")
		w.alter(change)
		w.primary("web", func(d *types.Deployment) { d.RunningCount = running })
		w.oldWanted(old)
		for i := range running {
			w.run("web", fmt.Sprint("n", i), "ecs-svc/9", digestA)
		}
	})
}

// alter changes the service deployment of service web.
func (w *fakeECS) alter(change func(*types.ServiceDeployment)) {
	sd := w.deployments[w.arnOf("web", "9")]
	if change != nil {
		change(&sd)
	}
	w.deployments[w.arnOf("web", "9")] = sd
}

// oldWanted sets how many tasks ECS wants of the old deployment.
func (w *fakeECS) oldWanted(n int32) {
	w.primary("web", func(*types.Deployment) {})
	w.services["web"].Deployments[1].DesiredCount = n
}

// blocks gives service web limits that leave no step while all old tasks run.
func (w *fakeECS) blocks(old int32) {
	s := w.services["web"]
	s.DeploymentConfiguration = &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(51), MaximumPercent: aws.Int32(199)}
	s.DesiredCount = 1
	s.Deployments = slices.Clone(s.Deployments)
	s.Deployments[1].RunningCount = old
	w.services["web"] = s
}

// refuse has an operation refused for want of a permission.
func (w *fakeECS) refuse(operation string) {
	w.fail = func(called string, _ int) error {
		if called == operation {
			return refused("AccessDeniedException")
		}
		return nil
	}
}

// alone takes the old deployment off the list.
func (w *fakeECS) alone() {
	s := w.services["web"]
	s.Deployments = s.Deployments[:1]
	w.services["web"] = s
}

// stopping adds an old task that ECS is stopping and that drains.
func (w *fakeECS) stopping(id string) {
	w.stop("web", id, "ecs-svc/1", 0)
	w.tasks["web"][len(w.tasks["web"])-1].LastStatus = aws.String("DEACTIVATING")
}

// keep adds an old task that runs, under task protection if for is positive.
func (w *fakeECS) keep(id string, protection time.Duration) {
	w.run("web", id, "ecs-svc/1", digestB)
	if protection > 0 {
		w.protected[id] = time.Now().Add(protection)
	}
}

func (w *fakeECS) succeedAfter(d time.Duration) {
	w.after(d, func() { w.status("web", "9", types.ServiceDeploymentStatusSuccessful, "") })
}

func paused(until time.Duration) func(*types.ServiceDeployment) {
	return func(sd *types.ServiceDeployment) {
		sd.LifecycleStage = types.ServiceDeploymentLifecycleStagePostTestTrafficShift
		hook := types.DeploymentLifecycleHookDetail{
			HookId: aws.String("ecs-pause-1"), TargetType: types.DeploymentLifecycleHookTargetTypePause,
			Status: types.DeploymentLifecycleHookStatusAwaitingAction, TimeoutAction: types.DeploymentLifecycleHookActionRollback,
		}
		if until > 0 {
			hook.ExpiresAt = aws.Time(time.Now().Add(until))
		}
		sd.LifecycleHookDetails = []types.DeploymentLifecycleHookDetail{hook}
	}
}

func atStage(stage types.ServiceDeploymentLifecycleStage) func(*types.ServiceDeployment) {
	return func(sd *types.ServiceDeployment) { sd.LifecycleStage, sd.LifecycleHookDetails = stage, nil }
}

// What takes long and is no failure does not end a deployment, and what is a
// failure does, when it has made no progress for the time limit.
func TestFollowLimit(t *testing.T) {
	tests := map[string]struct {
		desired int32
		arrange func(w *fakeECS, d *ecs.Deployment)
		status  Status
		reason  string
		at      time.Duration // when it ends
	}{
		"a hook waits for somebody": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 1, paused(24*time.Hour))
			w.after(3*time.Hour, func() { w.alter(atStage(types.ServiceDeploymentLifecycleStageProductionTrafficShift)) })
			w.succeedAfter(3*time.Hour + 10*time.Minute)
		}, Succeeded, "", 3*time.Hour + 10*time.Minute},
		"a hook without an end": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 1, paused(0))
			w.succeedAfter(23 * time.Hour)
		}, Succeeded, "", 23 * time.Hour},
		"a hook that ECS does not end": {1, func(w *fakeECS, _ *ecs.Deployment) { w.underWay(1, 1, paused(time.Hour)) },
			TimedOut, "its new tasks made no progress for 15m0s", time.Hour + limit},
		"a continued deployment starts again": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(0, 1, atStage(types.ServiceDeploymentLifecycleStagePostTestTrafficShift))
			w.after(14*time.Minute, func() { w.alter(paused(24 * time.Hour)) })
			w.after(2*time.Hour, func() {
				w.alter(func(sd *types.ServiceDeployment) {
					sd.LifecycleHookDetails = slices.Clone(sd.LifecycleHookDetails) // it is being read
					sd.LifecycleHookDetails[0].Status = types.DeploymentLifecycleHookStatusSucceeded
				})
			})
		}, TimedOut, "", 2*time.Hour + limit},
		"a function under way": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 1, paused(2*time.Hour))
			w.change(func() {
				w.alter(func(sd *types.ServiceDeployment) {
					sd.LifecycleHookDetails[0].Status = types.DeploymentLifecycleHookStatusInProgress
				})
			})
			w.succeedAfter(time.Hour)
		}, Succeeded, "", time.Hour},
		"the bake time": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 1, atStage(types.ServiceDeploymentLifecycleStageBakeTime))
			w.succeedAfter(2 * time.Hour)
		}, Succeeded, "", 2 * time.Hour},
		"a task is lost in the bake time": {2, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(2, 1, atStage(types.ServiceDeploymentLifecycleStageBakeTime))
			w.after(time.Hour, func() { w.primary("web", func(d *types.Deployment) { d.RunningCount = 1 }) })
		}, TimedOut, "", time.Hour + limit},
		"traffic that moves in steps": {1, func(w *fakeECS, d *ecs.Deployment) {
			d.Service.Strategy = types.DeploymentStrategyLinear
			w.underWay(1, 1, atStage(types.ServiceDeploymentLifecycleStageProductionTrafficShift))
			w.succeedAfter(2 * time.Hour)
		}, Succeeded, "", 2 * time.Hour},
		"traffic that does not move": {1, func(w *fakeECS, d *ecs.Deployment) {
			d.Service.Strategy = types.DeploymentStrategyBlueGreen
			w.underWay(1, 1, atStage(types.ServiceDeploymentLifecycleStageProductionTrafficShift))
		}, TimedOut, "", limit},
		"alarms are watched": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 0, func(sd *types.ServiceDeployment) {
				sd.Alarms = &types.ServiceDeploymentAlarms{Status: types.ServiceDeploymentRollbackMonitorsStatusMonitoring}
			})
			w.change(w.alone)
			w.succeedAfter(40 * time.Minute)
		}, Succeeded, "", 40 * time.Minute},
		"alarms are watched, and ECS lists the old deployment": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 0, func(sd *types.ServiceDeployment) {
				sd.Alarms = &types.ServiceDeploymentAlarms{Status: types.ServiceDeploymentRollbackMonitorsStatusMonitoring}
			})
			w.succeedAfter(2 * time.Hour)
		}, Succeeded, "", 2 * time.Hour},
		"old tasks drain, and are gone in time": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 0, nil)
			w.change(func() { w.stopping("old") })
			w.succeedAfter(14 * time.Minute)
		}, Succeeded, "", 14 * time.Minute},
		"old tasks drain for long": {2, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(2, 0, nil)
			w.change(func() { w.stopping("old1"); w.stopping("old2") })
		}, Succeeded, "all new tasks run, and ECS is still stopping old tasks: 2 tasks (old1, old2)", limit},
		"old tasks drain while others start": {2, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 0, nil)
			w.change(func() { w.stopping("old") })
		}, TimedOut, "its new tasks made no progress", limit},
		"old tasks drain, and a new one is ill": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 0, nil)
			w.change(func() {
				w.stopping("old")
				w.tasks["web"][0].HealthStatus = types.HealthStatusUnhealthy
			})
		}, TimedOut, "", 2 * limit},
		"no old task is left": {1, func(w *fakeECS, _ *ecs.Deployment) { w.underWay(1, 0, nil) }, TimedOut, "", 2 * limit},
		"ECS can take no step": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(0, 1, nil)
			w.change(func() { w.blocks(1) })
		}, TimedOut, "minimumHealthyPercent 51 and maximumPercent 199 leave no step", time.Minute},
		"a step becomes possible in time": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(0, 1, nil)
			w.change(func() { w.blocks(1) })
			w.after(50*time.Second, func() { w.blocks(0) })
			w.succeedAfter(10 * time.Minute)
			w.after(10*time.Minute, func() { w.run("web", "new", "ecs-svc/9", digestA) })
		}, Succeeded, "", 10 * time.Minute},
		"old tasks are kept": {1, func(w *fakeECS, _ *ecs.Deployment) { w.underWay(1, 1, nil) },
			TimedOut, "its new tasks made no progress for 15m0s; under way", limit},
		"old tasks are kept by task protection": {2, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(2, 2, nil)
			w.change(func() { w.keep("old1", 48*time.Hour); w.keep("old2", 20*time.Minute) })
		}, Succeeded, "all new tasks run, and ECS keeps old tasks under task protection: 2 tasks (old1 until 2000-01-03T00:00:00Z, old2 until 2000-01-01T00:20:00Z)", time.Minute + limit},
		"protected tasks that ECS wants no more": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 0, nil)
			w.change(func() { w.keep("old", 48*time.Hour) })
		}, Succeeded, "ECS keeps old tasks under task protection: 1 task (old until 2000-01-03T00:00:00Z)", limit},
		"some are protected, and others drain": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 1, nil)
			w.change(func() { w.keep("old1", 48*time.Hour); w.stopping("old2") })
		}, Succeeded, "ECS is still stopping old tasks: 1 task (old2); ECS keeps old tasks under task protection: 1 task (old1 until", time.Minute + limit},
		"protection ends in time": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 1, nil)
			w.change(func() { w.keep("old", 15*time.Minute) })
			w.after(15*time.Minute+30*time.Second, func() { w.oldWanted(0); w.forget("web", "old"); w.stopping("old") })
			w.succeedAfter(20 * time.Minute)
		}, Succeeded, "", 20 * time.Minute},
		"protection ends, and ECS keeps the tasks": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 1, nil)
			w.change(func() { w.keep("old", 10*time.Minute) })
		}, TimedOut, "its new tasks made no progress for 15m0s; under way", 9*time.Minute + limit},
		"one of the old tasks is not protected": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 2, nil)
			w.change(func() { w.keep("old1", 48*time.Hour); w.keep("old2", 0) })
		}, TimedOut, "its new tasks made no progress for 15m0s; under way", limit},
		"old tasks are protected, and others start": {2, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 1, nil)
			w.change(func() { w.keep("old", 48*time.Hour) })
		}, TimedOut, "its new tasks made no progress", limit},
		"old tasks are protected, and a new one crashes again and again": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 1, nil)
			w.change(func() { w.keep("old", 48*time.Hour) })
			for i := range int32(60) {
				w.after(time.Duration(i+1)*5*time.Minute, func() {
					w.primary("web", func(d *types.Deployment) { d.RunningCount = (i + 1) % 2 })
				})
			}
		}, TimedOut, "its new tasks made no progress", 32 * time.Minute},
		"old tasks are protected, and a new one is ill": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(1, 1, nil)
			w.change(func() {
				w.keep("old", 48*time.Hour)
				w.tasks["web"][0].HealthStatus = types.HealthStatusUnhealthy
			})
		}, TimedOut, "", 2 * limit},
		"old tasks are protected, and traffic does not move": {1, func(w *fakeECS, d *ecs.Deployment) {
			d.Service.Strategy = types.DeploymentStrategyBlueGreen
			w.underWay(1, 1, atStage(types.ServiceDeploymentLifecycleStageProductionTrafficShift))
			w.change(func() { w.keep("old", 48*time.Hour) })
		}, TimedOut, "", limit},
		"protected blue tasks at the clean-up": {1, func(w *fakeECS, d *ecs.Deployment) {
			d.Service.Strategy = types.DeploymentStrategyBlueGreen
			w.underWay(1, 1, atStage(types.ServiceDeploymentLifecycleStageCleanUp))
			w.change(func() { w.keep("old", 48*time.Hour) })
		}, Succeeded, "under task protection: 1 task (old until", time.Minute + limit},
		"reading task protection is not allowed": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.refuse("GetTaskProtection")
			w.underWay(1, 1, nil)
			w.change(func() { w.keep("old", 48*time.Hour) })
		}, TimedOut, "its new tasks made no progress for 15m0s; under way; reading task protection is not allowed (ecs:GetTaskProtection)", limit},
		"task protection of tasks that ECS wants no more may not be read": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.refuse("GetTaskProtection")
			w.underWay(1, 0, nil)
			w.change(func() { w.keep("old", 48*time.Hour) })
		}, TimedOut, "reading task protection is not allowed (ecs:GetTaskProtection)", 2 * limit},
		"task protection is read at the second try": {1, func(w *fakeECS, _ *ecs.Deployment) {
			w.fail = func(operation string, n int) error {
				if operation == "GetTaskProtection" && n < 4 {
					return refused("ThrottlingException")
				}
				return nil
			}
			w.underWay(1, 0, nil)
			w.change(func() { w.keep("old", 48*time.Hour) })
		}, Succeeded, "under task protection", limit},
		"a task after the other": {5, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(0, 5, nil)
			for i := range int32(5) {
				w.after(time.Duration(i+1)*10*time.Minute, func() {
					w.primary("web", func(d *types.Deployment) { d.RunningCount = i + 1 })
					w.run("web", fmt.Sprint("n", i), "ecs-svc/9", digestA)
				})
			}
			w.succeedAfter(51 * time.Minute)
		}, Succeeded, "", 51 * time.Minute},
		"a task that crashes and starts": {2, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(0, 2, nil)
			for i := range int32(60) {
				w.after(time.Duration(i+1)*time.Minute, func() {
					w.primary("web", func(d *types.Deployment) { d.RunningCount = (i + 1) % 2 })
				})
			}
		}, TimedOut, "", time.Minute + limit},
		"successful before its tasks run": {2, func(w *fakeECS, _ *ecs.Deployment) {
			w.underWay(0, 2, func(sd *types.ServiceDeployment) {
				sd.DeploymentConfiguration = &types.DeploymentConfiguration{EarlySuccessCriteria: &types.DeploymentEarlySuccessCriteria{Enable: true, HealthyPercent: aws.Int32(0)}}
			})
			w.change(func() { w.status("web", "9", types.ServiceDeploymentStatusSuccessful, "") })
			w.after(10*time.Minute, func() { w.run("web", "n0", "ecs-svc/9", digestA) })
		}, Succeeded, "1 of 2 new tasks run", 10 * time.Minute},
		"no service deployments may be read": {1, func(w *fakeECS, d *ecs.Deployment) {
			d.Wait = 30 * time.Minute
			w.refuse("ListServiceDeployments")
			w.underWay(1, 1, nil)
		}, TimedOut, "its new tasks made no progress for 45m0s", 45 * time.Minute},
		"protected tasks, and no service deployments may be read": {1, func(w *fakeECS, d *ecs.Deployment) {
			w.refuse("ListServiceDeployments")
			w.underWay(1, 1, nil)
			w.change(func() { w.keep("old", 48*time.Hour) })
		}, Succeeded, "under task protection: 1 task (old until", time.Minute + limit},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFakeECS()
				d := w.deployment("web", "9", tt.desired)
				began := time.Now()
				tt.arrange(w, &d)
				outcome := limited(t, w, d)
				wantOutcome(t, outcome, tt.status, tt.reason)
				if took := time.Since(began); took < tt.at-10*time.Second || took > tt.at+20*time.Second {
					t.Errorf("ended after %s, want %s", took, tt.at)
				}
			})
		})
	}
}

// limited follows with the time limit.
func limited(t *testing.T, api ecsAPI, d ecs.Deployment) Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Hour)
	defer cancel()
	return Follower{ECS: api, Limit: limit}.Follow(ctx, []ecs.Deployment{d}, nil)[0]
}

// silentECS is an ECS that accepts one kind of question and does not answer it.
type silentECS struct{ *fakeECS }

func (silentECS) DescribeServiceDeployments(ctx context.Context, _ *awsecs.DescribeServiceDeploymentsInput, _ ...func(*awsecs.Options)) (*awsecs.DescribeServiceDeploymentsOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Protected tasks are reported once, and ECS is asked about them about once a
// minute.
func TestFollowReportsProtection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.deployment("web", "9", 1)
		w.underWay(1, 1, nil)
		w.change(func() { w.keep("old", 48*time.Hour) })
		n := &progressRecorder{}
		outcome := Follower{ECS: w, Limit: limit}.Follow(t.Context(), []ecs.Deployment{d}, n.report)[0]
		wantOutcome(t, outcome, Succeeded)
		if reported := strings.Join(n.texts(Event), "\n"); strings.Count(reported, "ECS keeps old tasks under task protection: waiting") != 1 {
			t.Errorf("reported %s", reported)
		}
		if got := w.calls["GetTaskProtection"]; got < 14 || got > 18 {
			t.Errorf("GetTaskProtection was called %d times in 16 minutes", got)
		}
	})
}

// An AWS that does not answer does not hold the time limit up, and that is
// reported.
func TestFollowLimitWithoutAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.deployment("web", "9", 1)
		n := &progressRecorder{}
		outcome := Follower{ECS: silentECS{w}, Limit: limit}.Follow(t.Context(), []ecs.Deployment{d}, n.report)[0]
		wantOutcome(t, outcome, TimedOut, "no progress")
		if took := time.Since(d.Created); took < limit || took > limit+longestRound {
			t.Errorf("ended after %s", took)
		}
		if reported := strings.Join(n.texts(Event), "\n"); !strings.Contains(reported, "no answer from AWS within 2m0s, trying again") {
			t.Errorf("reported %s", reported)
		}
	})
}

// A deployment that ECS calls successful and that cannot be verified is not
// timed out: it must not be stopped.
func TestFollowLimitOfVerifying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.deployment("web", "9", 1)
		w.underWay(1, 0, nil)
		w.change(func() { w.status("web", "9", types.ServiceDeploymentStatusSuccessful, "") })
		w.fail = func(operation string, _ int) error {
			if operation == "ListTasks RUNNING" {
				return refused("ThrottlingException")
			}
			return nil
		}
		outcome := limited(t, w, d)
		wantOutcome(t, outcome, Unverified, "it is SUCCESSFUL, but its images are not verified yet")
		if outcome.Err == nil {
			t.Error("no error says that it was not verified")
		}
	})
}

// With the limit, one deployment's end is not another's.
func TestFollowLimitOfEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		web, api := w.deployment("web", "9", 1), w.deployment("api", "8", 1)
		w.underWay(1, 1, paused(24*time.Hour))
		w.succeedAfter(2 * time.Hour)
		began, after := time.Now(), map[string]time.Duration{}
		ended := func(o Outcome) { after[o.Deployment.Service.Service] = time.Since(began) }
		outcomes := Follower{ECS: w, Limit: limit, Ended: ended}.Follow(t.Context(), []ecs.Deployment{web, api}, nil)
		if after["api"] < limit || after["api"] > limit+time.Minute || after["web"] < 2*time.Hour {
			t.Errorf("the ends were reported after %s", after)
		}
		wantOutcome(t, outcomes[0], Succeeded)
		wantOutcome(t, outcomes[1], TimedOut)
	})
}
