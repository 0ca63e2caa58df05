package cmd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
)

// TestChaosEnvironments lets the operators of two environments, whose ECS services run
// images of the same repositories, build, roll out, roll back, stop and start at random,
// while days pass and images expire. At every moment, and for thirty days after the last
// command, ECR has the images that each environment runs.
func TestChaosEnvironments(t *testing.T) {
	chaos(t, func(t *testing.T, random *rand.Rand) {
		e := newEnvironments(t, random)
		for range 4 + random.IntN(5) {
			e.step()
			e.check()
			if t.Failed() {
				break
			}
		}
		e.done = append(e.done, "thirty days pass")
		for range 30 {
			e.aws.Advance(24 * time.Hour)
		}
		e.check()
		if t.Failed() {
			t.Logf("after:\n%s", strings.Join(e.done, "\n"))
		}
	})
}

// environmentComponents are the components of the project of environments.
var environmentComponents = componentNames[:2]

// environments are two ECS services, in two clusters, of one project.
type environments struct {
	*ecsFixture
	random    *rand.Rand
	revisions []string
	// runs are the digests that an environment runs, or ran when it was stopped, by
	// cluster and component.
	runs map[string]map[string]string
	// done are the commands so far.
	done []string
}

func newEnvironments(t *testing.T, random *rand.Rand) *environments {
	t.Helper()
	s := newBuildFixtureOn(t, "environments", sandbox.Options{ECSSpeed: 400}, enginetest.Shared(t).Addr)
	e := &environments{
		ecsFixture: &ecsFixture{buildFixture: s, sandbox: newECSSandbox(s.aws, s.proxy.host())}, random: random,
		runs: map[string]map[string]string{"prod": {}, "staging": {}},
	}
	e.buildNext()
	var containers []string
	for _, c := range environmentComponents {
		containers = append(containers, c+"=shop/"+c+":latest")
	}
	for cluster := range e.runs {
		e.createService(ecsServiceFixture{cluster: cluster, service: "shop", containers: containers})
	}
	e.pass(10 * time.Minute)
	// Slipway protects the images of the services that a command has named.
	for cluster := range e.runs {
		e.run("rollout", "r0", "--cluster", cluster, "--ecs-service", "shop")
	}
	e.observe()
	return e
}

// buildNext builds a new revision of one component or of both.
func (e *environments) buildNext(args ...string) {
	name := fmt.Sprintf("r%d", len(e.revisions))
	seed := fmt.Sprint(e.random.Uint64())
	if len(e.revisions) == 0 {
		e.writeServices(seed, environmentComponents)
	}
	for _, c := range environmentComponents[e.random.IntN(len(environmentComponents)):] {
		e.write(c+"/file", seed)
	}
	e.run(append([]string{"build", "--create-repositories", "--progress", "plain", "--cache", "none", "--hash", name}, args...)...)
	e.revisions = append(e.revisions, name)
}

// step does something that an operator does, or lets days pass.
func (e *environments) step() {
	cluster := []string{"prod", "staging"}[e.random.IntN(2)]
	of := []string{"--cluster", cluster, "--ecs-service", "shop"}
	revision := e.revisions[e.random.IntN(len(e.revisions))]
	switch e.random.IntN(9) {
	case 0:
		e.buildNext()
	case 1:
		e.buildNext(append(of, "--rollout")...)
	case 2:
		e.run(append(of, "rollout", revision)...)
	case 3:
		e.run(append(of, "rollback", revision)...)
	case 4:
		e.run(append(of, "rollback", "--previous")...)
	case 5:
		e.run(append(of, "stop")...)
	case 6:
		e.run(append(of, "start")...)
	default:
		e.pass(time.Duration(12+e.random.IntN(108)) * time.Hour)
	}
	e.pass(10 * time.Minute)
	e.observe()
}

// run runs slipway to its end. A revision may have expired, and no revision may be the
// previous one: a command may be refused.
func (e *environments) run(args ...string) {
	e.t.Helper()
	i := slices.IndexFunc(args, func(a string) bool {
		return slices.Contains([]string{"build", "rollout", "rollback", "stop", "start"}, a)
	})
	args = slices.Concat(args[i:], args[:i])
	r := e.start(args...)
	r.end()
	e.done = append(e.done, fmt.Sprintf("slipway %s: %d", strings.Join(args, " "), r.code))
	if r.code != exitDone && r.code != exitUsage {
		e.t.Errorf("slipway %s ended with %d:\n%s", strings.Join(args, " "), r.code, &r.stderr)
	}
}

func (e *environments) pass(d time.Duration) {
	if d > time.Hour {
		e.done = append(e.done, d.String()+" pass")
	}
	e.aws.Advance(d)
}

// observe notes the digests that the environments run.
func (e *environments) observe() {
	e.t.Helper()
	for cluster, runs := range e.runs {
		now, err := e.sandbox.runs(e.t.Context(), cluster, "shop")
		if err != nil {
			e.t.Fatal(err)
		}
		for component, digests := range now {
			for _, digest := range digests {
				if digest != "" {
					runs[component] = digest
				}
			}
		}
	}
}

// check compares these digests with the images in ECR.
func (e *environments) check() {
	e.t.Helper()
	for cluster, runs := range e.runs {
		for component, digest := range runs {
			if !slices.Contains(e.aws.Digests("shop/"+component), digest) {
				e.t.Errorf("%s runs %s, which is gone from shop/%s", cluster, digest, component)
			}
		}
		if len(runs) != len(environmentComponents) {
			e.t.Errorf("%s runs %v", cluster, runs)
		}
	}
}
