package task

import (
	"fmt"
	"math"

	"slipway/internal/fault"
)

// Create are the settings with which an ECS service is created. They are never changed
// afterwards.
type Create struct {
	// DesiredCount is the number of tasks.
	DesiredCount int
	// MinimumHealthyPercent and MaximumPercent bound the tasks during a deployment
	// (DeploymentConfiguration in the API reference).
	MinimumHealthyPercent, MaximumPercent int
}

// deployment warns of the parts of deploy that ECS services do not have.
func (t *translator) deployment() error {
	d := t.Deploy
	if d == nil {
		return nil
	}
	if d.Mode != "" && d.Mode != "replicated" {
		return t.refuse("deploy.mode", "use replicated", "%q cannot be carried out on Fargate", d.Mode)
	}
	u := d.UpdateConfig
	for _, x := range []struct {
		key     string
		present bool
		text    string
	}{
		{"deploy.labels", len(d.Labels) > 0, "has no effect on ECS: write labels of the container under labels"},
		{"deploy.placement", len(d.Placement.Constraints)+len(d.Placement.Preferences) > 0 || d.Placement.MaxReplicas > 0,
			"has no effect on Fargate, which places tasks itself: remove the key"},
		{"deploy.endpoint_mode", d.EndpointMode != "", "has no effect on ECS: remove the key"},
		{"deploy.rollback_config", d.RollbackConfig != nil, "has no effect on ECS, which rolls back as it deploys: remove the key"},
		{"deploy.update_config", u != nil && (u.Delay != 0 || u.Monitor != 0 || u.MaxFailureRatio != 0 || u.FailureAction != "" && u.FailureAction != "rollback"),
			"has delay, monitor, failure_action or max_failure_ratio, which have no effect on ECS: its circuit breaker rolls back; remove them"},
		{"deploy.update_config.parallelism", u != nil && u.Parallelism != nil && u.Order == "", "has no effect without an order: write order: start-first or stop-first"},
	} {
		if x.present {
			t.warn(x.key, "%s", x.text)
		}
	}
	return nil
}

// maxTasks is the quota "Tasks per service" ("Amazon ECS service quotas" in the ECS
// developer guide).
const maxTasks = 5000

// create derives the settings of the ECS service. Services of one task must agree.
func (d *deriver) create(g *group, out *Definition) error {
	if g.before != "" {
		return nil
	}
	out.Create = Create{1, 100, 200}
	from := ""
	for _, u := range g.services {
		n := u.Scale
		if n == nil && u.Deploy != nil {
			n = u.Deploy.Replicas
		}
		if n == nil {
			continue
		}
		if from != "" && *n != out.Create.DesiredCount {
			return fault.NewInput("services."+u.Name+".deploy.replicas", fmt.Sprintf("%d is another number than that of service %s in the same task", *n, from),
				"give both the same number, or run it in an ECS service of its own with x-slipway.ecs")
		}
		if *n < 0 || *n > maxTasks {
			return fault.NewInput("services."+u.Name+".deploy.replicas", fmt.Sprintf("%d is not a number of tasks", *n), fmt.Sprintf("write 0 to %d", maxTasks))
		}
		from, out.Create.DesiredCount = u.Name, *n
	}
	return d.rollingUpdate(g, out)
}

// rollingUpdate derives how many tasks run during a deployment.
func (d *deriver) rollingUpdate(g *group, out *Definition) error {
	from, decided := "", out.Create
	for _, u := range g.services {
		if u.Deploy == nil || u.Deploy.UpdateConfig == nil || u.Deploy.UpdateConfig.Order == "" {
			continue
		}
		config := u.Deploy.UpdateConfig
		bounds := decided.during(config.Order, config.Parallelism)
		if from != "" && bounds != out.Create {
			return fault.NewInput("services."+u.Name+".deploy.update_config", "differs from that of service "+from+" in the same task", "give both the same")
		}
		from, out.Create = u.Name, bounds
	}
	return nil
}

// during returns the settings for an order of compose and the number of tasks that are
// replaced at once, 1 if it is not given and all if it is 0. ECS rounds the minimum up
// and the maximum down to whole tasks.
func (c Create) during(order string, parallelism *uint64) Create {
	all := uint64(max(c.DesiredCount, 1))
	atOnce := uint64(1)
	if parallelism != nil {
		atOnce = min(*parallelism, all)
	}
	if atOnce == 0 {
		atOnce = all
	}
	percent := 100 * float64(atOnce) / float64(all)
	if order == "stop-first" {
		c.MinimumHealthyPercent, c.MaximumPercent = int(math.Floor(100-percent)), 100
	} else {
		c.MinimumHealthyPercent, c.MaximumPercent = 100, int(math.Ceil(100+percent))
	}
	return c
}
