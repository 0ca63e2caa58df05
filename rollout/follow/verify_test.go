package follow

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/ecs"
)

func TestVerify(t *testing.T) {
	const ours, old = "ecs-svc/9", "ecs-svc/1"
	resolve := func(w *fakeECS, digest string) {
		w.revisions[w.revisionOf("web", "9")] = types.ServiceRevision{
			ServiceRevisionArn: aws.String(w.revisionOf("web", "9")),
			ContainerImages:    []types.ContainerImage{{ContainerName: aws.String("web"), ImageDigest: aws.String(digest)}},
		}
	}
	tests := map[string]struct {
		desired int32
		arrange func(w *fakeECS)
		wants   map[string]ecs.DesiredImage
		status  Status
		reason  string
		// took is how long the verifying may take and must at least.
		least, most time.Duration
	}{
		"all as wanted":       {desired: 2, arrange: func(w *fakeECS) { w.run("web", "a", ours, digestA); w.run("web", "b", ours, digestA) }, status: Succeeded},
		"the index's digest":  {desired: 1, arrange: func(w *fakeECS) { w.run("web", "a", ours, digestIndex) }, wants: map[string]ecs.DesiredImage{"web": {Digests: []string{digestIndex, digestA}}}, status: Succeeded},
		"a platform's digest": {desired: 1, arrange: func(w *fakeECS) { w.run("web", "a", ours, digestA) }, wants: map[string]ecs.DesiredImage{"web": {Digests: []string{digestIndex, digestA}}}, status: Succeeded},
		"nothing wanted":      {desired: 1, arrange: func(w *fakeECS) { w.run("web", "a", ours, digestB) }, wants: map[string]ecs.DesiredImage{}, status: Succeeded},

		"one of two differs": {desired: 2, arrange: func(w *fakeECS) { w.run("web", "a", ours, digestA); w.run("web", "b", ours, digestB) },
			status: Differs, reason: "it is SUCCESSFUL, but web runs " + digestB + " instead of " + digestA + " in 1 of 2 tasks"},
		"a container is missing": {desired: 1, arrange: func(w *fakeECS) { w.run("web", "a", ours, digestA) },
			wants: map[string]ecs.DesiredImage{"api": {Digests: []string{digestA}}}, status: Differs, reason: "there is no container api in 1 of 1 task"},
		"the digest from the revision": {desired: 1, arrange: func(w *fakeECS) { w.run("web", "a", ours, ""); resolve(w, digestA) }, status: Succeeded},
		"another from the revision": {desired: 1, arrange: func(w *fakeECS) { w.run("web", "a", ours, ""); resolve(w, digestB) },
			status: Differs, reason: "web runs " + digestB},
		"the digest from the reference": {desired: 1, arrange: func(w *fakeECS) {
			w.run("web", "a", ours, "")
			w.tasks["web"][0].Containers[0].Image = aws.String("repo@" + digestA)
		}, status: Succeeded},
		"no digest anywhere": {desired: 1, arrange: func(w *fakeECS) { w.run("web", "a", ours, "") },
			status: Differs, reason: "web runs an image with an unknown digest instead of " + digestA},
		"an old task stays": {desired: 1, arrange: func(w *fakeECS) {
			w.run("web", "a", ours, digestA)
			w.run("web", "o", old, digestB)
		}, status: Succeeded, reason: "ECS still has to stop tasks of an earlier deployment: 1 task (o)"},
		"many old tasks stay": {desired: 4, arrange: func(w *fakeECS) {
			w.run("web", "a", ours, digestA)
			for i := range 7 {
				w.run("web", fmt.Sprint("o", i), old, digestB)
			}
		}, status: Succeeded, reason: "1 of 4 new tasks run, ECS starts the others; ECS still has to stop tasks of an earlier deployment: 7 tasks (o0, o1, o2, o3, o4 …)"},
		"an old task stays, and a new one differs": {desired: 2, arrange: func(w *fakeECS) {
			w.run("web", "a", ours, digestB)
			w.run("web", "o", old, digestA)
		}, status: Differs, reason: "web runs " + digestB + " instead of " + digestA},
		"a task of ours comes": {desired: 1, arrange: func(w *fakeECS) {
			w.after(10*time.Second, func() { w.run("web", "a", ours, digestA) })
		}, status: Succeeded, least: 10 * time.Second, most: 20 * time.Second},
		"no task of ours": {desired: 1, arrange: func(w *fakeECS) {}, status: Differs, reason: "none of its tasks is running", least: time.Minute, most: 70 * time.Second},
		"starting tasks do not count": {desired: 1, arrange: func(w *fakeECS) {
			w.run("web", "a", ours, digestA)
			w.run("web", "b", ours, "")
			w.tasks["web"][1].LastStatus = aws.String("PENDING")
		}, status: Succeeded},
		"none desired":                      {arrange: func(w *fakeECS) { resolve(w, digestA) }, status: Succeeded},
		"none desired, another":             {arrange: func(w *fakeECS) { resolve(w, digestB) }, status: Differs, reason: "web will run " + digestB + " instead of " + digestA},
		"none desired, no digests reported": {arrange: func(w *fakeECS) {}, status: Succeeded, reason: "the images were not verified"},
		"many pages": {desired: 250, arrange: func(w *fakeECS) {
			w.pageSize = 100
			for i := range 250 {
				w.run("web", fmt.Sprint(i), ours, digestA)
			}
			w.tasks["web"][249].Containers[0].ImageDigest = aws.String(digestB)
		}, status: Differs, reason: "in 1 of 250 tasks"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFakeECS()
				d := w.deployment("web", "9", tt.desired)
				if tt.wants != nil {
					d.Wants = tt.wants
				}
				w.change(func() { w.status("web", "9", types.ServiceDeploymentStatusSuccessful, "") })
				tt.arrange(w)
				outcomes, _ := followAll(t, w, d)
				wantOutcome(t, outcomes[0], tt.status, tt.reason)
				if took := time.Since(d.Created); took < tt.least || took > max(tt.most, 0) {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}
