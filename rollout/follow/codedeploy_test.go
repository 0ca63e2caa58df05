package follow

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	codetypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/ecs"
)

// blueGreen returns a CODE_DEPLOY service with an old task set, and a
// deployment of it.
func (w *fakeECS) blueGreen() ecs.Deployment {
	d := w.deployment("web", "9", 1)
	d.ID, d.Created = "d-NEW", time.Time{}
	d.Service.Controller = types.DeploymentControllerTypeCodeDeploy
	clear(w.deployments)
	s := w.services["web"]
	s.Deployments = nil
	s.TaskSets = []types.TaskSet{{Id: aws.String("ecs-svc/1"), Status: aws.String("PRIMARY"), ExternalId: aws.String("d-OLD"), RunningCount: 1}}
	w.services["web"] = s
	w.run("web", "t1", "ecs-svc/1", digestB)
	w.code["d-NEW"] = codetypes.DeploymentInfo{DeploymentId: aws.String("d-NEW"), Status: codetypes.DeploymentStatusCreated, CreateTime: aws.Time(time.Now())}
	return d
}

func (w *fakeECS) codeStatus(id string, status codetypes.DeploymentStatus, change func(*codetypes.DeploymentInfo)) {
	info := w.code[id]
	info.DeploymentId, info.Status = aws.String(id), status
	if change != nil {
		change(&info)
	}
	w.code[id] = info
}

// green adds the new task set.
func (w *fakeECS) green(status string, running int32) {
	s := w.services["web"]
	s.TaskSets = []types.TaskSet{s.TaskSets[0], {
		Id: aws.String("ecs-svc/2"), Status: aws.String(status), ExternalId: aws.String("d-NEW"), RunningCount: running, ComputedDesiredCount: 1,
	}}
	w.services["web"] = s
}

func TestFollowCodeDeploy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.blueGreen()
		w.after(5*time.Second, func() {
			w.codeStatus("d-NEW", codetypes.DeploymentStatusInProgress, nil)
			w.green("ACTIVE", 0)
			w.event("web", "e1", "has started 1 tasks")
			w.stop("web", "s1", "ecs-svc/2", 1)
		})
		w.after(20*time.Second, func() { w.green("PRIMARY", 1); w.run("web", "t2", "ecs-svc/2", digestA) })
		w.after(40*time.Second, func() { w.codeStatus("d-NEW", codetypes.DeploymentStatusReady, nil) })
		w.after(50*time.Second, func() { w.codeStatus("d-NEW", codetypes.DeploymentStatusBaking, nil) })
		w.after(60*time.Second, func() { w.codeStatus("d-NEW", codetypes.DeploymentStatusSucceeded, nil) })
		outcomes, n := followAll(t, w, d)
		// The old task still runs: CodeDeploy keeps it for a while.
		wantOutcome(t, outcomes[0], Succeeded)
		if r := outcomes[0].Running["web"]; r[digestA] != 1 || r[digestB] != 1 {
			t.Errorf("running %v", r)
		}
		wantTexts(t, n, Stage, "waiting to begin", "under way",
			"the new tasks are ready and wait for traffic to be rerouted (aws deploy continue-deployment --deployment-id d-NEW)",
			"baking: old and new tasks run side by side")
		wantTexts(t, n, Event, "has started 1 tasks")
		wantTexts(t, n, Counts, "0 of 1 running", "1 of 1 running")
		wantTexts(t, n, Stopped, "task s1: Essential container in task exited; web exited with 1")
		if time.Since(w.code["d-NEW"].CreateTime.Add(60*time.Second)) > 6*time.Second {
			t.Error("waited for the old task set")
		}
	})
}

// CodeDeploy keeps the old task set for up to two days, and Follow does not wait for that.
func TestFollowCodeDeployWhileTheOldTasksAreKept(t *testing.T) {
	kept := func(w *fakeECS) {
		w.codeStatus("d-NEW", codetypes.DeploymentStatusInProgress, func(i *codetypes.DeploymentInfo) { i.InstanceTerminationWaitTimeStarted = true })
	}
	steady := func(w *fakeECS) {
		s := w.services["web"]
		s.TaskSets[1].StabilityStatus = types.StabilityStatusSteadyState
	}
	for name, tt := range map[string]struct {
		do     func(w *fakeECS)
		digest string
		wait   time.Duration
		status Status
		reason string
		at     time.Duration
	}{
		"it says so":             {kept, digestA, 0, Succeeded, "CodeDeploy still keeps the old tasks", 30 * time.Second},
		"the task set says so":   {steady, digestA, 0, Succeeded, "CodeDeploy still keeps the old tasks", 30 * time.Second},
		"traffic goes in steps":  {steady, digestA, 5 * time.Minute, Succeeded, "CodeDeploy still keeps the old tasks", 5 * time.Minute},
		"the steps are all done": {kept, digestA, 5 * time.Minute, Succeeded, "CodeDeploy still keeps the old tasks", 30 * time.Second},
		"other digests":          {kept, digestB, 0, Differs, "the new tasks receive the traffic, but web runs " + digestB, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFakeECS()
				d := w.blueGreen()
				d.Wait = tt.wait
				began := time.Now()
				w.codeStatus("d-NEW", codetypes.DeploymentStatusInProgress, nil)
				w.green("ACTIVE", 1)
				w.run("web", "t2", "ecs-svc/2", tt.digest)
				w.after(10*time.Second, func() { w.green("PRIMARY", 1) }) // not steady yet
				w.after(30*time.Second, func() { tt.do(w) })
				w.after(50*time.Minute, func() { w.codeStatus("d-NEW", codetypes.DeploymentStatusSucceeded, nil) })
				outcomes, _ := followAll(t, w, d)
				wantOutcome(t, outcomes[0], tt.status, tt.reason)
				if took := time.Since(began); took < tt.at || took > tt.at+10*time.Second {
					t.Errorf("ended after %s, want %s", took, tt.at)
				}
			})
		})
	}
}

func TestFollowCodeDeployDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.blueGreen()
		w.green("PRIMARY", 1)
		w.run("web", "t2", "ecs-svc/2", digestB)
		w.codeStatus("d-NEW", codetypes.DeploymentStatusSucceeded, nil)
		outcomes, _ := followAll(t, w, d)
		wantOutcome(t, outcomes[0], Differs, "web runs "+digestB+" instead of "+digestA+" in 1 of 1 task")
	})
}

func TestFollowCodeDeployEnds(t *testing.T) {
	auto := &codetypes.AutoRollbackConfiguration{Enabled: true, Events: []codetypes.AutoRollbackEvent{codetypes.AutoRollbackEventDeploymentFailure}}
	lost := func(i *codetypes.DeploymentInfo) {
		i.AutoRollbackConfiguration = auto
		i.ErrorInformation = &codetypes.ErrorInformation{Code: codetypes.ErrorCodeTimeout, Message: aws.String("The ECS deployment timed out.")}
	}
	undo := func(i *codetypes.DeploymentInfo) {
		i.RollbackInfo = &codetypes.RollbackInfo{RollbackDeploymentId: aws.String("d-BACK")}
	}
	tests := map[string]struct {
		do     func(w *fakeECS)
		status Status
		reason string
		within time.Duration
	}{
		"failed, no rollback set": {func(w *fakeECS) {
			w.codeStatus("d-NEW", codetypes.DeploymentStatusFailed, lost)
			w.codeStatus("d-NEW", codetypes.DeploymentStatusFailed, func(i *codetypes.DeploymentInfo) { i.AutoRollbackConfiguration = nil })
		}, Failed, "CodeDeploy reports Failed; TIMEOUT; The ECS deployment timed out", 6 * time.Second},
		"failed, the rollback never comes": {func(w *fakeECS) { w.codeStatus("d-NEW", codetypes.DeploymentStatusFailed, lost) },
			Failed, "timed out", 70 * time.Second},
		"rolled back": {func(w *fakeECS) {
			w.codeStatus("d-NEW", codetypes.DeploymentStatusFailed, lost)
			w.after(20*time.Second, func() {
				w.codeStatus("d-NEW", codetypes.DeploymentStatusFailed, undo)
				w.codeStatus("d-BACK", codetypes.DeploymentStatusInProgress, nil)
			})
			w.after(90*time.Second, func() { w.codeStatus("d-BACK", codetypes.DeploymentStatusSucceeded, nil) })
		}, RolledBack, "timed out", 100 * time.Second},
		"stopped and rolled back": {func(w *fakeECS) {
			w.codeStatus("d-NEW", codetypes.DeploymentStatusStopped, undo)
			w.codeStatus("d-BACK", codetypes.DeploymentStatusSucceeded, nil)
		}, RolledBack, "CodeDeploy reports Stopped", 6 * time.Second},
		"the rollback fails": {func(w *fakeECS) {
			w.codeStatus("d-NEW", codetypes.DeploymentStatusFailed, lost)
			w.codeStatus("d-NEW", codetypes.DeploymentStatusFailed, undo)
			w.codeStatus("d-BACK", codetypes.DeploymentStatusFailed, nil)
		}, Failed, "rollback deployment d-BACK is Failed", 6 * time.Second},
		"gone": {func(w *fakeECS) { clear(w.code) }, Unverified, "reading CodeDeploy deployment d-NEW", 6 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFakeECS()
				d := w.blueGreen()
				began := time.Now()
				w.after(30*time.Second, func() { tt.do(w) })
				outcomes, _ := followAll(t, w, d)
				wantOutcome(t, outcomes[0], tt.status, tt.reason)
				if took := time.Since(began) - 30*time.Second; took > tt.within {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestFollowCodeDeployNoClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.blueGreen()
		o := Follower{ECS: w}.Follow(t.Context(), []ecs.Deployment{d}, nil)[0]
		wantOutcome(t, o, Unverified, "no CodeDeploy client")
	})
}
