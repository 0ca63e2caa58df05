package run

import (
	"cmp"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox/ecs/process"
	"slipway/internal/sandbox/ecs/run/front"
	"slipway/internal/sandbox/ecs/run/ocispec"
	"slipway/internal/sandbox/ecs/run/runc"
)

// shortestInterval is the shortest time between two health checks, however fast
// the time of ECS runs.
const shortestInterval = 100 * time.Millisecond

// observe lets connections reach a container while it is healthy. The interval
// between checks is ECS's time, the start period and the timeout are the clock's:
// processes do not run faster than they are.
func (c *container) observe(p *runc.Container, exited <-chan struct{}) {
	command := ocispec.HealthCommand(c.definition)
	if command == nil {
		c.open()
		return
	}
	h := c.definition.HealthCheck
	tick := time.NewTicker(max(shortestInterval, seconds(h.Interval, 30, c.task.Second)))
	defer tick.Stop()
	checks := checks{retries: int(cmp.Or(aws.ToInt32(h.Retries), 3)), free: time.Now().Add(seconds(h.StartPeriod, 0, time.Second))}
	timeout := seconds(h.Timeout, 5, time.Second)
	for {
		select {
		case <-exited:
			return
		case <-tick.C:
		}
		passed := c.check(p, command, timeout)
		if isClosed(exited) {
			return
		}
		if status := checks.add(passed, time.Now()); status != "" {
			c.becomes(status)
		}
	}
}

func seconds(n *int32, none int32, second time.Duration) time.Duration {
	return time.Duration(cmp.Or(aws.ToInt32(n), none)) * second
}

func (c *container) check(p *runc.Container, command []string, timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return p.Exec(ctx, command) == nil
}

// checks are the results of a container's health checks so far.
type checks struct {
	retries  int
	free     time.Time // until which failures do not count
	passed   bool      // once
	failures int       // in a row
	status   string
}

// add adds a result. It returns the container's new status, "" if it stays.
func (c *checks) add(passed bool, now time.Time) string {
	status := c.status
	switch {
	case passed:
		c.passed, c.failures, status = true, 0, "HEALTHY"
	case !c.passed && now.Before(c.free):
	default:
		if c.failures++; c.failures >= c.retries {
			status = "UNHEALTHY"
		}
	}
	if status == c.status {
		return ""
	}
	c.status = status
	return status
}

// becomes records the result of health checks.
func (c *container) becomes(status string) {
	if status == "HEALTHY" {
		c.open()
	} else {
		c.task.runner.front.Remove(c.task.ID)
	}
	c.task.changeOf(c.name, func(s *process.Container) {
		s.Health = status
		if status == "HEALTHY" && !isClosed(c.healthy) {
			close(c.healthy)
		}
	})
}

// open lets connections reach the ports of a container, unless its task stops. A
// port that cannot be opened is reached by no one, as without a load balancer.
func (c *container) open() {
	t := c.task
	for _, m := range c.definition.PortMappings {
		if m.ContainerPort == nil || m.Protocol == types.TransportProtocolUdp || isClosed(t.stopping) {
			continue
		}
		key := front.Key{Region: t.Region, Cluster: t.Cluster, Service: t.Service, Container: c.name, Port: int(*m.ContainerPort)}
		_ = t.runner.front.Add(key, t.ID, t.network.Dial)
	}
}
