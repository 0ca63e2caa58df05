package follow

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/rollout/ecs"
)

func TestFind(t *testing.T) {
	start := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	// Each service deployment: name, revision, when after the start.
	type listed struct {
		name, revision string
		after          time.Duration
		status         types.ServiceDeploymentStatus
	}
	const stopped = types.ServiceDeploymentStatusStopped
	had := func(past, revision, deployment string) ecs.Service {
		return ecs.Service{
			Ref: ecs.Ref{Service: "web"}, Deployments: []ecs.ServiceDeployment{{ARN: past, Revision: "a/" + revision}},
			Raw: types.Service{Deployments: []types.Deployment{{Id: aws.String("ecs-svc/" + deployment)}}},
		}
	}
	tests := map[string]struct {
		service ecs.Service
		listed  []listed
		want    string
	}{
		"nothing yet":                      {ecs.Service{}, nil, ""},
		"by its number":                    {ecs.Service{}, []listed{{"other", "a/10", 0, ""}, {"ours", "a/9", time.Second, ""}, {"third", "a/11", 2 * time.Second, ""}}, "ours"},
		"by its number, listed before it":  {ecs.Service{}, []listed{{"ours", "a/9", -4 * time.Second, ""}}, "ours"},
		"the nearest where numbers differ": {ecs.Service{}, []listed{{"later", "a/x2", 3 * time.Second, ""}, {"ours", "a/x1", time.Second, ""}, {"first", "a/x0", -2 * time.Second, ""}}, "ours"},
		"the nearest was replaced by ours": {ecs.Service{}, []listed{{"first", "a/x1", 0, stopped}, {"ours", "a/same", 3 * time.Second, ""}}, "ours"},
		"both of ours were stopped":        {ecs.Service{}, []listed{{"first", "a/x1", 0, stopped}, {"last", "a/same", 3 * time.Second, stopped}}, "last"},
		"replaced by other images":         {ecs.Service{}, []listed{{"ours", "a/x1", 0, stopped}, {"other", "a/images", 3 * time.Second, ""}}, "ours"},
		"replaced by another definition":   {ecs.Service{}, []listed{{"ours", "a/x1", 0, stopped}, {"other", "a/definition", 3 * time.Second, ""}}, "ours"},
		"by the same images, but later":    {ecs.Service{}, []listed{{"ours", "a/x1", 0, stopped}, {"other", "a/same", 10 * time.Minute, ""}}, "ours"},
		"not one from before":              {had("before", "x0", "0"), []listed{{"before", "a/x0", -time.Second, ""}, {"ours", "a/x1", time.Second, ""}}, "ours"},
		"not one that is too old":          {ecs.Service{}, []listed{{"old", "a/x0", -3 * time.Second, ""}}, ""},
		"numbers hold here, so wait":       {had("before", "8", "8"), []listed{{"other", "a/10", time.Second, ""}}, ""},
		"numbers hold here, and there":     {had("before", "8", "8"), []listed{{"other", "a/10", 0, ""}, {"ours", "a/9", time.Second, ""}}, "ours"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newFakeECS()
			w.pageSize = 1
			for _, l := range tt.listed {
				w.deployments[l.name] = types.ServiceDeployment{
					ServiceArn: aws.String("s/web"), CreatedAt: aws.Time(start.Add(l.after)), Status: l.status,
					TargetServiceRevision: &types.ServiceRevisionSummary{Arn: aws.String(l.revision)},
				}
			}
			revise := func(arn, definition, digest string) {
				w.revisions[arn] = types.ServiceRevision{ServiceRevisionArn: &arn, TaskDefinition: &definition,
					ContainerImages: []types.ContainerImage{{ContainerName: aws.String("web"), ImageDigest: &digest}}}
			}
			revise("a/same", "web:7", digestA)
			revise("a/images", "web:7", digestB)
			revise("a/definition", "web:8", digestA)
			tt.service.Service = "web"
			d := ecs.Deployment{Service: tt.service, ID: "ecs-svc/9", Created: start, TaskDefinition: "web:7", Wants: map[string]ecs.DesiredImage{"web": {Digests: []string{digestA}}}}
			got, err := find(t.Context(), w, d)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if n := max(1, len(tt.listed)); w.calls["ListServiceDeployments"] > n {
				t.Errorf("%d calls for %d pages", w.calls["ListServiceDeployments"], n)
			}
		})
	}
}

// A stopped one with nothing after it may have been replaced by one that is
// listed later.
func TestFindWaitsAfterAStoppedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.deployment("web", "9", 1)
		w.status("web", "9", types.ServiceDeploymentStatusStopped, "")
		d.ID = "ecs-svc/777"
		if got, err := find(t.Context(), w, d); got != "" || err != nil {
			t.Errorf("at once: %q, %v", got, err)
		}
		time.Sleep(replacedWithin)
		if got, err := find(t.Context(), w, d); got != w.arnOf("web", "9") || err != nil {
			t.Errorf("later: %q, %v", got, err)
		}
	})
}

func TestFindKnown(t *testing.T) {
	w := newFakeECS()
	got, err := find(t.Context(), w, ecs.Deployment{ARN: "known"})
	if got != "known" || err != nil || len(w.calls) != 0 {
		t.Errorf("find of a known ARN returned %q, error %v, with calls %v; want the ARN and no call", got, err, w.calls)
	}
	// An id without a number equals no revision.
	w.deployments["other"] = types.ServiceDeployment{ServiceArn: aws.String("s/web"), CreatedAt: aws.Time(time.Unix(-3, 0)),
		TargetServiceRevision: &types.ServiceRevisionSummary{Arn: aws.String("unnumbered")}}
	got, err = find(t.Context(), w, ecs.Deployment{ID: "plain", Created: time.Unix(0, 0), Service: ecs.Service{Ref: ecs.Ref{Service: "web"}}})
	if got != "" || err != nil {
		t.Errorf("find of an id without a number returned %q, error %v; want none", got, err)
	}
	w.fail = func(string, int) error { return refused("AccessDeniedException") }
	if _, err = find(t.Context(), w, ecs.Deployment{}); !awsclient.Denied(err) {
		t.Errorf("find with a refused request: error %v, want one that Denied reports", err)
	}
	if awsclient.Denied(errors.New("AccessDenied")) {
		t.Error("Denied goes by the text of an error")
	}
}

// An UpdateService whose answer got lost is sent again by the SDK and starts a
// second deployment, which stops the first. Ours is the second, whichever ECS
// lists first.
func TestFollowRepeatedUpdate(t *testing.T) {
	for name, late := range map[string]time.Duration{"both listed": 0, "the first one listed before": 4 * time.Second, "long before": 12 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFakeECS()
				first := w.deployment("web", "9", 1)
				w.status("web", "9", types.ServiceDeploymentStatusInProgress, "")
				time.Sleep(time.Second)
				before := w.deployments
				w.deployments = map[string]types.ServiceDeployment{}
				d := w.deployment("web", "10", 1)
				second := w.deployments[w.arnOf("web", "10")]
				w.deployments = before
				d.ID = "ecs-svc/777" // no number of a revision
				w.primary("web", func(p *types.Deployment) { p.Id = &d.ID })
				for _, number := range []string{"9", "10"} {
					arn := w.revisionOf("web", number)
					w.revisions[arn] = types.ServiceRevision{ServiceRevisionArn: &arn, TaskDefinition: &first.TaskDefinition,
						ContainerImages: []types.ContainerImage{{ContainerName: aws.String("web"), ImageDigest: aws.String(digestA)}}}
				}
				w.after(late, func() {
					w.deployments[w.arnOf("web", "10")] = second
					w.status("web", "10", types.ServiceDeploymentStatusInProgress, "")
				})
				w.after(3*time.Second, func() { w.status("web", "9", types.ServiceDeploymentStatusStopped, "") })
				w.after(30*time.Second, func() { w.status("web", "10", types.ServiceDeploymentStatusSuccessful, "") })
				w.run("web", "t10", d.ID, digestA)
				outcomes, _ := followAll(t, w, d)
				wantOutcome(t, outcomes[0], Succeeded)
				if outcomes[0].Deployment.ARN != w.arnOf("web", "10") {
					t.Errorf("followed %s", outcomes[0].Deployment.ARN)
				}
			})
		})
	}
}

// ECS may list a deployment seconds after it began.
func TestFollowListedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.deployment("web", "9", 1)
		arn := w.arnOf("web", "9")
		listed := w.deployments[arn]
		delete(w.deployments, arn)
		w.after(9*time.Second, func() { w.deployments[arn] = listed })
		w.after(10*time.Second, func() { w.status("web", "9", types.ServiceDeploymentStatusSuccessful, "") })
		w.run("web", "t9", d.ID, digestA)
		outcomes, n := followAll(t, w, d)
		wantOutcome(t, outcomes[0], Succeeded)
		wantTexts(t, n, Event)
	})
}

// The judgment without service deployments.
func TestPlainEnd(t *testing.T) {
	start := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	entry := func(id, status string, at time.Duration, state types.DeploymentRolloutState, reason string) types.Deployment {
		return types.Deployment{
			Id: aws.String(id), Status: aws.String(status), CreatedAt: aws.Time(start.Add(at)), RolloutState: state,
			RolloutStateReason: aws.String(reason), TaskDefinition: aws.String("td/web:7"), RunningCount: 1, DesiredCount: 1,
		}
	}
	const (
		going = types.DeploymentRolloutStateInProgress
		done  = types.DeploymentRolloutStateCompleted
		lost  = types.DeploymentRolloutStateFailed
		back  = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."
		broke = "ECS deployment circuit breaker: tasks failed to start."
	)
	breaker := &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
	old := entry("ecs-svc/1", "ACTIVE", -time.Hour, done, "")
	tests := map[string]struct {
		// before is seen a round earlier.
		before, now []types.Deployment
		config      *types.DeploymentConfiguration
		want        state
		reason      string
	}{
		"under way":                      {nil, []types.Deployment{entry("ecs-svc/9", "PRIMARY", 0, going, ""), old}, nil, stateInProgress, ""},
		"completed":                      {nil, []types.Deployment{entry("ecs-svc/9", "PRIMARY", 0, done, "")}, nil, stateSuccessful, ""},
		"failed, no rollback":            {nil, []types.Deployment{entry("ecs-svc/9", "PRIMARY", 0, lost, broke), old}, nil, stateFailed, broke},
		"failed, a rollback will come":   {nil, []types.Deployment{entry("ecs-svc/9", "PRIMARY", 0, lost, broke), old}, breaker, stateUndecided, broke},
		"rolling back":                   {nil, []types.Deployment{entry("ecs-svc/10", "PRIMARY", 60, going, back), entry("ecs-svc/9", "ACTIVE", 0, lost, broke)}, breaker, stateInProgress, ""},
		"rolled back":                    {nil, []types.Deployment{entry("ecs-svc/10", "PRIMARY", 60, done, back), entry("ecs-svc/9", "ACTIVE", 0, lost, broke)}, breaker, stateRolledBack, "ECS deployment circuit breaker: tasks failed to start; ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1"},
		"rolled back, ours gone":         {[]types.Deployment{entry("ecs-svc/9", "PRIMARY", 0, lost, broke)}, []types.Deployment{entry("ecs-svc/10", "PRIMARY", 60, done, "completed")}, breaker, stateRolledBack, "tasks failed to start"},
		"rolled back, by its words only": {[]types.Deployment{entry("ecs-svc/9", "PRIMARY", 0, going, "")}, []types.Deployment{entry("ecs-svc/10", "PRIMARY", 60, done, back)}, breaker, stateRolledBack, "rolling back"},
		"rolled back to the old one":     {[]types.Deployment{entry("ecs-svc/9", "PRIMARY", 0, going, "")}, []types.Deployment{entry("ecs-svc/1", "PRIMARY", -time.Hour, done, "")}, breaker, stateRolledBack, ""},
		"rollback failed":                {nil, []types.Deployment{entry("ecs-svc/10", "PRIMARY", 60, lost, "no luck"), entry("ecs-svc/9", "ACTIVE", 0, lost, broke)}, breaker, stateFailed, "the rollback failed"},
		"replaced":                       {nil, []types.Deployment{entry("ecs-svc/10", "PRIMARY", 60, going, ""), entry("ecs-svc/9", "ACTIVE", 0, going, "")}, nil, stateSuperseded, "ecs-svc/10, which deploys web:7"},
		"replaced, ours gone":            {[]types.Deployment{entry("ecs-svc/9", "PRIMARY", 0, going, "")}, []types.Deployment{entry("ecs-svc/10", "PRIMARY", 60, done, "")}, nil, stateSuperseded, "ecs-svc/10"},
		"an answer older than ours":      {nil, []types.Deployment{entry("ecs-svc/1", "PRIMARY", -time.Hour, done, "")}, nil, stateUndecided, "ECS does not list the deployment"},
		"none at all":                    {nil, nil, nil, stateInProgress, ""},
		"Classic Load Balancer":          {nil, []types.Deployment{entry("ecs-svc/9", "PRIMARY", 0, "", "")}, nil, stateSuccessful, ""},
		"Classic, old tasks there":       {nil, []types.Deployment{entry("ecs-svc/9", "PRIMARY", 0, "", ""), old}, nil, stateInProgress, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newTracker(ecs.Deployment{ID: "ecs-svc/9", Created: start}, func(Progress) {})
			w.withoutServiceDeployments = true
			for _, round := range [][]types.Deployment{tt.before, tt.now} {
				w.service = &types.Service{Deployments: round, DeploymentConfiguration: tt.config}
				w.reportProgress()
			}
			got, reason := w.stateNow()
			if got != tt.want || tt.reason == "" && reason != "" && tt.want != stateRolledBack || !contains(reason, tt.reason) {
				t.Errorf("got %d %q, want %d %q", got, reason, tt.want, tt.reason)
			}
		})
	}
}

// contains looks for what is wanted in a reason, without the period that join
// takes off.
func contains(reason, want string) bool {
	return join(reason) != "" && join(join(reason), want) == join(reason) || want == ""
}

// Without a rollback to come the undecided state ends as a failure.
func TestFollowUndecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeECS()
		d := w.deployment("web", "9", 1)
		w.fail = func(operation string, _ int) error {
			if operation == "ListServiceDeployments" {
				return fmt.Errorf("listing: %w", refused("AccessDeniedException"))
			}
			return nil
		}
		s := w.services["web"]
		s.DeploymentConfiguration = &types.DeploymentConfiguration{Alarms: &types.DeploymentAlarms{Rollback: true}}
		w.services["web"] = s
		w.primary("web", func(d *types.Deployment) {
			d.RolloutState, d.RolloutStateReason = types.DeploymentRolloutStateFailed, aws.String("tasks failed to start.")
		})
		outcomes, _ := followAll(t, w, d)
		wantOutcome(t, outcomes[0], Failed, "tasks failed to start")
		if waited := time.Since(d.Created); waited < time.Minute || waited > 70*time.Second {
			t.Errorf("ended after %s", waited)
		}
	})
}
