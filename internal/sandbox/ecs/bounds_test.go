package ecs

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/image"
)

// bareECS is an ECS without a server around it: all images come from elsewhere.
func bareECS() *region {
	return newRegion(Options{
		Account: "000000000000", Clock: &awsapi.Clock{}, Registry: func(string) image.Registry { return nil }, Speed: 1,
	}, "us-east-1")
}

func fields(t testing.TB, text string) map[string]json.RawMessage {
	t.Helper()
	var out map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// bareService makes the service web of a task definition, with the variables in
// its container's environment.
func bareService(t testing.TB, e *region, settings string, variables ...string) *service {
	t.Helper()
	bareDefinition(t, e, variables...)
	if _, err := createCluster(e, fields(t, `{}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := createService(e, fields(t, `{"serviceName":"web","taskDefinition":"web",`+settings+`}`)); err != nil {
		t.Fatal(err)
	}
	return e.services()[0]
}

func bareDefinition(t testing.TB, e *region, variables ...string) {
	t.Helper()
	env := "[]"
	if len(variables) == 2 {
		env = fmt.Sprintf(`[{"name":%q,"value":%q}]`, variables[0], variables[1])
	}
	_, err := registerTaskDefinition(e, fields(t, `{"family":"web","containerDefinitions":[{"name":"web","image":"web","memory":64,"environment":`+env+`}]}`))
	if err != nil {
		t.Fatal(err)
	}
}

// pass lets time pass on a bare ECS.
func (e *region) pass(d time.Duration) {
	e.clock.Advance(d)
	e.advance()
}

// At every step of a deployment as many tasks are healthy as the minimum
// demands, and no more are to run than the maximum allows.
func TestDeploymentsKeepTheirBounds(t *testing.T) {
	for _, test := range []struct{ desired, minimum, maximum int }{
		{2, 100, 200}, {1, 0, 100}, {4, 50, 100}, {4, 75, 125}, {10, 90, 110}, {3, 50, 150}, {2, 75, 200}, {7, 0, 200}, {1, 100, 200},
	} {
		for _, crash := range []bool{false, true} {
			for _, twice := range []bool{false, true} {
				name := fmt.Sprintf("%d of %d to %d percent, crash %v, twice %v", test.desired, test.minimum, test.maximum, crash, twice)
				t.Run(name, func(t *testing.T) { checkBounds(t, test.desired, test.minimum, test.maximum, crash, twice) })
			}
		}
	}
}

func checkBounds(t *testing.T, desired, minimum, maximum int, crash, twice bool) {
	e := bareECS()
	s := bareService(t, e, fmt.Sprintf(`"desiredCount":%d,"deploymentConfiguration":{"minimumHealthyPercent":%d,"maximumPercent":%d,
		"deploymentCircuitBreaker":{"enable":true,"rollback":true}}`, desired, minimum, maximum))
	e.pass(5 * time.Minute)
	old := s.primary()
	steps, least, most := 0, desired, 0
	e.onStep = append(e.onStep, func() bool {
		all, _ := s.totals(nil)
		steps, least, most = steps+1, min(least, all.healthy), max(most, all.alive)
		return false
	})
	if crash {
		bareDefinition(t, e, "SLIPWAY_SANDBOX_EXIT", "1")
	} else {
		bareDefinition(t, e)
	}
	for range 1 + count(twice) { // the second one while the first is halfway
		if _, err := updateService(e, fields(t, `{"service":"web","taskDefinition":"web","forceNewDeployment":true}`)); err != nil {
			t.Fatal(err)
		}
		e.pass(12 * time.Second)
	}
	e.pass(2 * time.Hour)
	want := "SUCCESSFUL"
	if crash {
		want = "ROLLBACK_SUCCESSFUL"
	}
	if got := s.current().status; got != want || (s.primary() == old) != crash {
		t.Errorf("ended as %s with %s, want %s", got, s.primary().id, want)
	}
	if lowest := (desired*minimum + 99) / 100; least < lowest {
		t.Errorf("at times %d tasks were healthy, want at least %d", least, lowest)
	}
	if highest := desired * maximum / 100; most > highest {
		t.Errorf("at times %d tasks were to run, want at most %d", most, highest)
	}
	if steps < 5 {
		t.Errorf("%d steps: nothing happened", steps)
	}
	if now := s.counts(s.primary()); now.running != desired || len(s.deployments) != 1 {
		t.Errorf("in the end %+v run in %d deployments", now, len(s.deployments))
	}
}

// A clock that is moved by days ends soon, though tasks crash all the time.
func TestNoBreakerRetriesForEver(t *testing.T) {
	e := bareECS()
	s := bareService(t, e, `"desiredCount":2`, "SLIPWAY_SANDBOX_EXIT", "1")
	for _, wait := range []time.Duration{time.Minute, 8 * 24 * time.Hour, 24 * time.Hour} {
		before := s.primary().failed
		e.pass(wait)
		if s.current().status != "IN_PROGRESS" || s.primary().rollout != "IN_PROGRESS" || s.primary().failed <= before {
			t.Errorf("after %s: %s, %s, %d failures after %d", wait, s.current().status, s.primary().rollout, s.primary().failed, before)
		}
	}
	if n := len(s.tasks); n > 50 {
		t.Errorf("%d tasks are kept", n)
	}
	if len(s.events) != 100 {
		t.Errorf("%d events are kept, want 100", len(s.events))
	}
}

// Every field of a task definition comes back, whatever its name.
func FuzzTaskDefinitionKeepsItsFields(f *testing.F) {
	f.Add(`{"family":"web","containerDefinitions":[{"name":"web","image":"web","memory":64,"new":{"deep":[1.50,null]}}],"future":12345678901234567890}`)
	f.Add(`{"family":"web","containerDefinitions":[{"name":"a","image":"b","memory":1,"essential":false}]}`)
	f.Add(`{"family":"web","containerDefinitions":[{"name":"a","image":"b","memoryReservation":1}],"tags":[{"key":"k","value":"v"}],"revision":9}`)
	f.Fuzz(func(t *testing.T, text string) {
		var in map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &in) != nil {
			return
		}
		e := bareECS()
		out, err := registerTaskDefinition(e, in)
		if err != nil {
			return
		}
		answered := map[string]bool{"tags": true, "containerDefinitions": true} // or given by ECS itself
		for _, name := range []string{"taskDefinitionArn", "family", "revision", "status", "registeredAt", "registeredBy", "requiresAttributes", "compatibilities"} {
			answered[name] = true
		}
		for name, v := range in {
			if got, ok := out.TaskDefinition[name]; !answered[name] && string(v) != "null" && (!ok || string(got.(json.RawMessage)) != string(v)) {
				t.Errorf("%s is %s, want %s", name, got, v)
			}
		}
		var before, after []map[string]json.RawMessage
		_ = json.Unmarshal(in["containerDefinitions"], &before)
		if err := json.Unmarshal(out.TaskDefinition["containerDefinitions"].(json.RawMessage), &after); err != nil || len(before) != len(after) {
			t.Fatalf("containers are %s: %v", out.TaskDefinition["containerDefinitions"], err)
		}
		for i := range before {
			for name := range before[i] {
				if _, ok := after[i][name]; !ok {
					t.Errorf("container %d lost %s", i, name)
				}
			}
		}
	})
}
