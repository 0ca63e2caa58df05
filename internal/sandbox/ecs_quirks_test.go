package sandbox_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
)

// Each quirk changes what it says, and only with it set.
func TestECSQuirks(t *testing.T) {
	for _, test := range []struct {
		name  string
		quirk sandbox.ECSQuirks
		shows func(c *ecsFixture) bool
	}{
		{"separate ids", sandbox.ECSQuirks{SeparateIDs: true}, func(c *ecsFixture) bool {
			id := *c.update("").Deployments[0].Id
			return lastPart(id) != lastPart(*c.deployments()[0].TargetServiceRevisionArn)
		}},
		{"list delay", sandbox.ECSQuirks{ListDelay: true}, func(c *ecsFixture) bool {
			before := len(c.deployments())
			c.slow(0.05)
			c.update("")
			at := len(c.deployments()) - before
			c.s.Advance(time.Minute)
			if len(c.deployments()) != before+1 {
				c.Error("the deployment is not listed after three seconds")
			}
			return at == 0
		}},
		{"platform digests", sandbox.ECSQuirks{PlatformDigests: true}, func(c *ecsFixture) bool {
			index, platforms := c.pushIndex("latest", "arm64", "amd64")
			c.update("")
			c.wait()
			if got := *c.revision(*c.deployments()[0].TargetServiceRevisionArn).ContainerImages[0].ImageDigest; got != index {
				c.Errorf("the revision resolved to %s, want the index %s", got, index)
			}
			got := c.s.RunningDigests("shop", "shop")["web"][0]
			if got != index && got != platforms[1] {
				c.Errorf("%s runs, want %s or %s", got, index, platforms[1])
			}
			return got == platforms[1]
		}},
		{"early success", sandbox.ECSQuirks{EarlySuccess: true}, func(c *ecsFixture) bool {
			c.slow(0.05)
			c.update("")
			c.wait()
			left := false
			for _, task := range c.tasks(types.DesiredStatusStopped) {
				left = left || *task.LastStatus != "STOPPED"
			}
			c.s.Advance(time.Hour)
			if n := len(c.service().Deployments); n != 1 {
				c.Errorf("%d deployments in the end, want 1", n)
			}
			return left
		}},
		{"late current", sandbox.ECSQuirks{LateCurrent: true}, func(c *ecsFixture) bool {
			before := *c.service().CurrentServiceDeployment
			answer := c.update("")
			if now := *c.service().CurrentServiceDeployment; now == before {
				c.Error("the next answer names the deployment before")
			}
			return *answer.CurrentServiceDeployment == before
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, set := range []bool{false, true} {
				o := sandbox.Options{}
				if set {
					o.ECS = test.quirk
				}
				c := newECSFixture(t, o)
				c.push("latest")
				c.create(c.define(c.web(c.uri+":latest")), 1)
				if got := test.shows(c); got != set {
					t.Errorf("with the quirk set %v it shows %v", set, got)
				}
			}
		})
	}
}

// NoNewFields leaves fields out of answers, and nothing else.
func TestNoNewFields(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 1)
	if s := c.service(); s.CurrentServiceDeployment == nil || len(s.CurrentServiceRevisions) == 0 || s.DeploymentConfiguration.Strategy == "" {
		t.Errorf("without the quirk: %+v", s)
	}
	c.s.SetECSQuirks(sandbox.ECSQuirks{NoNewFields: true})
	s := c.service()
	if s.CurrentServiceDeployment != nil || len(s.CurrentServiceRevisions) > 0 || s.DeploymentConfiguration.Strategy != "" {
		t.Errorf("with the quirk: %+v", s)
	}
	if s.RunningCount != 1 || len(s.Deployments) != 1 || s.DeploymentConfiguration.MaximumPercent == nil || s.CreatedAt == nil {
		t.Errorf("fields are missing that ECS always had: %+v", s)
	}
}

func TestECSControlPlane(t *testing.T) {
	c := newECSFixture(t, sandbox.Options{})
	post := func(query string) (int, string) {
		t.Helper()
		r, err := http.Post(c.s.URL()+"/_sandbox/ecs?"+query, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(body)
	}
	status, body := post("speed=3000&separate-ids=true")
	if status != http.StatusOK || !strings.Contains(body, `"speed": 3000`) || !strings.Contains(body, `"separate-ids": true`) || !strings.Contains(body, `"list-delay": false`) {
		t.Errorf("answered %d %s", status, body)
	}
	for _, bad := range []string{"speed=0", "speed=fast", "list-delay=perhaps", "nonsense=1"} {
		if status, body := post(bad); status != http.StatusBadRequest {
			t.Errorf("%s: answered %d %s, want %v", bad, status, body, http.StatusBadRequest)
		}
	}
	// With the speed, a second brings a deployment to its end; by itself it
	// takes a minute.
	c.push("latest")
	c.create(c.define(c.web(c.uri+":latest")), 1)
	if id := *c.service().Deployments[0].Id; lastPart(id) == lastPart(*c.deployments()[0].TargetServiceRevisionArn) {
		t.Error("the quirk is not set")
	}
	arn := *c.update("").CurrentServiceDeployment
	c.s.Advance(time.Second)
	if d := c.deployment(arn); d.Status != types.ServiceDeploymentStatusSuccessful {
		t.Errorf("after a second the deployment is %s", d.Status)
	} else if took := d.FinishedAt.Sub(*d.CreatedAt); took > 2*time.Second {
		t.Errorf("by the server's clock it took %s", took)
	}
	if err := c.s.SetECSSpeed(0); err == nil {
		t.Error("speed 0 is taken")
	}
	if _, err := sandbox.Start(t.Context(), sandbox.Options{ECSSpeed: -1}); err == nil {
		t.Error("a negative speed is taken")
	}
}
