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
// one after the other or both at once, while days pass and images expire, also in the
// middle of a command. After each command, and for thirty days after the last one, ECR has
// the images that each environment runs.
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
	random *rand.Rand
	// revisions are the names of the builds so far; some may have failed.
	revisions []string
	// deployed are the clusters to which the last step deployed.
	deployed map[string]bool
	// hurry is how much time passes in the middle of each command.
	hurry time.Duration
	// runs are the digests that an environment runs, or ran when it was stopped, by
	// cluster and component. There are none of one that was deployed while it was
	// stopped.
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
	e.run(e.nextBuild())
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
		e.run([]string{"rollout", "r0", "--cluster", cluster, "--ecs-service", "shop"})
	}
	e.observe()
	return e
}

// nextBuild changes one component or both and returns the command that builds them.
func (e *environments) nextBuild(flags ...string) []string {
	name := fmt.Sprintf("r%d", len(e.revisions))
	seed := fmt.Sprint(e.random.Uint64())
	if len(e.revisions) == 0 {
		e.writeServices(seed, environmentComponents)
	}
	for _, c := range environmentComponents[e.random.IntN(len(environmentComponents)):] {
		e.write(c+"/file", seed)
	}
	e.revisions = append(e.revisions, name)
	return append([]string{"build", "--create-repositories", "--progress", "plain", "--cache", "none", "--hash", name}, flags...)
}

// step lets an operator do something, or both at once, or lets days pass.
func (e *environments) step() {
	switch e.random.IntN(6) {
	case 0:
		e.pass(time.Duration(12+e.random.IntN(108)) * time.Hour)
	case 1:
		e.run(e.command("prod"), e.command("staging"))
	case 2:
		e.hurry = time.Duration(1+e.random.IntN(30)) * time.Hour
		e.run(e.command([]string{"prod", "staging"}[e.random.IntN(2)]))
		e.hurry = 0
	default:
		e.run(e.command([]string{"prod", "staging"}[e.random.IntN(2)]))
	}
	e.pass(10 * time.Minute)
	e.observe()
}

// command returns what an operator of a cluster does.
func (e *environments) command(cluster string) []string {
	revision := e.revisions[e.random.IntN(len(e.revisions))]
	return append([][]string{
		e.nextBuild("--rollout"), {"rollout", revision}, {"rollback", revision}, {"rollback", "--previous"}, {"stop"}, {"start"},
	}[e.random.IntN(6)], "--cluster", cluster, "--ecs-service", "shop")
}

// run runs commands at the same time. One may be refused, since its revision has expired
// or there is no previous one. One may lose against the other, or find that an image has
// expired meanwhile: it is run again.
func (e *environments) run(commands ...[]string) {
	e.t.Helper()
	e.deployed = map[string]bool{}
	for _, args := range commands {
		if i := slices.Index(args, "--cluster"); i > 0 && args[0] != "stop" && args[0] != "start" {
			e.deployed[args[i+1]] = true
		}
	}
	var running []*process
	for _, args := range commands {
		running = append(running, e.start(args...))
	}
	if e.hurry > 0 {
		e.pass(e.hurry)
	}
	for i, r := range running {
		r.end()
		e.done = append(e.done, fmt.Sprintf("slipway %s: %d", strings.Join(commands[i], " "), r.code))
	}
	for i, r := range running {
		if r.code == exitDone || r.code == exitUsage {
			continue
		}
		if alone := len(commands) == 1 && e.hurry == 0; !alone {
			again := e.start(commands[i]...)
			again.end()
			r = again
			e.done = append(e.done, fmt.Sprintf("again, slipway %s: %d", strings.Join(commands[i], " "), r.code))
		}
		if r.code != exitDone && r.code != exitUsage {
			e.t.Errorf("slipway %s ended with %d:\n%s", strings.Join(commands[i], " "), r.code, &r.stderr)
		}
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
		if len(now) == 0 && e.deployed[cluster] {
			clear(runs)
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
	}
}
