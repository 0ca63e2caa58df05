package task

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/fault"
)

// seconds returns a duration in whole seconds within its bounds, with a warning if it
// was not, and otherwise if it is not given.
func (t *translator) seconds(key string, d *types.Duration, otherwise, least, most int) int {
	if d == nil || *d == 0 {
		return otherwise
	}
	given := time.Duration(*d)
	n := min(max(int(math.Ceil(given.Seconds())), least), most)
	if time.Duration(n)*time.Second != given {
		t.warn(key, "is changed from %s to %d seconds, since ECS takes %d to %d whole seconds: write such a time", given, n, least, most)
	}
	return n
}

// health carries the health check, with compose's defaults, in the bounds of
// HealthCheck in the API reference.
func (t *translator) health() error {
	h := t.HealthCheck
	if h == nil || h.Disable || len(h.Test) > 0 && h.Test[0] == "NONE" {
		return nil
	}
	if len(h.Test) == 0 {
		return t.refuse("healthcheck", "write test; ECS does not read the HEALTHCHECK of a Dockerfile", "has no test")
	}
	if len(h.Test) < 2 || h.Test[0] != "CMD" && h.Test[0] != "CMD-SHELL" {
		return t.refuse("healthcheck.test", "write a string, or a list that begins with CMD or CMD-SHELL", "is not a command")
	}
	retries := 3
	if h.Retries != nil && *h.Retries != 0 {
		retries = int(min(*h.Retries, math.MaxInt32))
	}
	t.out.HealthCheck = &HealthCheck{
		Command:     h.Test,
		Interval:    t.seconds("healthcheck.interval", h.Interval, 30, 5, 300),
		Timeout:     t.seconds("healthcheck.timeout", h.Timeout, 30, 2, 60),
		Retries:     t.clamp("healthcheck.retries", retries, 1, 10, "attempts"),
		StartPeriod: t.seconds("healthcheck.start_period", h.StartPeriod, 0, 0, 300),
	}
	if h.StartInterval != nil {
		t.warn("healthcheck.start_interval", "has no effect on ECS: the interval counts from the start; remove the key")
	}
	return nil
}

// stop carries the time that a container has to stop (stopTimeout of
// ContainerDefinition in the API reference).
func (t *translator) stop() error {
	if d := t.StopGracePeriod; d != nil && *d == 0 {
		t.out.StopTimeout = 2
		t.warn("stop_grace_period", "is changed from 0s to 2 seconds, the least that ECS takes: write 2s")
	} else {
		t.out.StopTimeout = t.seconds("stop_grace_period", t.StopGracePeriod, 0, 2, 120)
	}
	return nil
}

// restart carries the restart policy (ContainerRestartPolicy in the API reference).
// Without one, ECS replaces a task whose essential container ends.
func (t *translator) restart() error {
	key, condition, window := "restart", t.Restart, (*types.Duration)(nil)
	if attempts := strings.TrimPrefix(condition, "on-failure:"); attempts != condition {
		condition = "on-failure"
		t.warn(key, "has a number of attempts, which ECS does not count: write on-failure")
	}
	if t.Deploy != nil && t.Deploy.RestartPolicy != nil {
		p := t.Deploy.RestartPolicy
		key, condition, window = "deploy.restart_policy", p.Condition, p.Window
		if p.Delay != nil || p.MaxAttempts != nil {
			t.warn(key, "has a delay or max_attempts, which have no effect on ECS: remove them")
		}
	}
	switch condition {
	case "no", "none":
		return nil
	case "":
		if key == "restart" {
			return nil
		}
	case "always", "unless-stopped", "any":
	case "on-failure":
		t.out.RestartPolicy = &RestartPolicy{IgnoredExitCodes: []int{0}}
	default:
		return t.refuse(key, "use no, always, on-failure or unless-stopped", "%q is not a restart policy", condition)
	}
	if t.group.before != "" {
		t.out.RestartPolicy = nil
		t.warn(key, "has no effect on a task that runs before a rollout, which runs once: remove the key")
		return nil
	}
	if t.out.RestartPolicy == nil {
		t.out.RestartPolicy = &RestartPolicy{}
	}
	t.out.RestartPolicy.Enabled = true
	t.out.RestartPolicy.RestartAttemptPeriod = t.seconds(key+".window", window, 0, 60, 1800)
	return nil
}

// conditions are ECS's words for compose's (ContainerDependency in the API reference).
var conditions = map[string]string{
	"":                            "START",
	types.ServiceConditionStarted: "START",
	types.ServiceConditionHealthy: "HEALTHY",
	types.ServiceConditionCompletedSuccessfully: "SUCCESS",
}

// depend carries the order in which the containers of a task start.
func (d *deriver) depend(g *group, _ *Definition) error {
	for _, u := range g.services {
		for _, on := range slices.Sorted(maps.Keys(u.DependsOn)) {
			if err := d.dependOn(g, u, on); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *deriver) dependOn(g *group, u *unit, on string) error {
	where, condition := "services."+u.Name+".depends_on."+on, conditions[u.DependsOn[on].Condition]
	i := slices.IndexFunc(g.services, func(o *unit) bool { return o.Name == on })
	switch {
	case i < 0 && slices.Contains(d.task.Before, on) && condition != "HEALTHY":
		return nil // it has succeeded before the task starts
	case i < 0:
		d.warn(where, "has no effect: the service is not in the same task; let the container wait for it")
		return nil
	case condition == "HEALTHY" && g.services[i].out.HealthCheck == nil:
		return fault.NewInput(where, "waits for a health check, and service "+on+" has none", "give "+on+" a healthcheck, or use service_started")
	case condition == "":
		return fault.NewInput(where, fmt.Sprintf("%q is not a condition", u.DependsOn[on].Condition), "use service_started, service_healthy or service_completed_successfully")
	}
	target := &g.services[i].out
	u.out.DependsOn = append(u.out.DependsOn, Dependency{target.Name, condition})
	if condition != "SUCCESS" {
		return nil
	}
	target.Essential = false
	if p := target.RestartPolicy; p != nil && p.IgnoredExitCodes == nil {
		target.RestartPolicy = nil
		d.warn("services."+on+".restart", "has no effect: the container is to end before that of service %s starts; remove the key", u.Name)
	}
	return nil
}
