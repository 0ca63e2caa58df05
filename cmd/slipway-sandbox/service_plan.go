package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/spf13/cobra"
)

// serviceFlags is what was typed.
type serviceFlags struct {
	cluster, service, controller, strategy, breaker, loadBalancer, logGroup string
	containers, env, healthChecks, ports                                    []string
	desired                                                                 int32
	wait                                                                    time.Duration
}

func (f *serviceFlags) flags(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.cluster, "cluster", "default", "cluster, made if it is missing")
	s.StringVar(&f.service, "service", "", "service; the task definition's family is called the same")
	s.StringArrayVar(&f.containers, "container", nil, "`name=image`; once for each container")
	s.Int32Var(&f.desired, "desired", 1, "how many tasks")
	s.StringVar(&f.controller, "controller", "ECS", "ECS, CODE_DEPLOY or EXTERNAL")
	s.StringVar(&f.strategy, "strategy", "ROLLING", "ROLLING, BLUE_GREEN, LINEAR or CANARY")
	s.StringVar(&f.breaker, "circuit-breaker", "rollback", "rollback, stop or off")
	s.StringArrayVar(&f.env, "env", nil, "`container.NAME=VALUE`; may be given several times")
	s.StringArrayVar(&f.healthChecks, "health-check", nil, "`container=command`; may be given several times")
	s.StringArrayVar(&f.ports, "port", nil, "`container:port` that a container listens on; may be given several times")
	s.StringVar(&f.loadBalancer, "load-balancer", "", "`container:port` behind a made-up load balancer")
	s.StringVar(&f.logGroup, "log-group", "", "log group, made if it is missing, for the awslogs driver")
	s.DurationVar(&f.wait, "wait", 0, "how long to wait until the service is stable (default not at all)")
}

// servicePlan is what the flags mean.
type servicePlan struct {
	cluster, service, region, account, partition, logGroup string
	controller                                             types.DeploymentControllerType
	strategy                                               types.DeploymentStrategy
	breaker                                                types.DeploymentCircuitBreaker
	containers                                             []plannedContainer
	balanced                                               *balancedPort
	desired                                                int32
	wait                                                   time.Duration
}

type plannedContainer struct {
	name        string
	image       image
	env         []types.KeyValuePair
	healthCheck string
	ports       []types.PortMapping
}

type balancedPort struct {
	container string
	port      int32
}

// image is a reference in two parts; suffix is :tag, @digest, both or none.
type image struct{ name, suffix string }

func parseImage(s string) image {
	slash := strings.LastIndexByte(s, '/') + 1
	if i := strings.IndexAny(s[slash:], ":@"); i >= 0 {
		return image{s[:slash+i], s[slash+i:]}
	}
	return image{s, ""}
}

// full tells whether the name begins with a registry's host, by the rule of
// Docker's references.
func (i image) full() bool {
	host, _, ok := strings.Cut(i.name, "/")
	return ok && (host == "localhost" || strings.ContainsAny(host, ".:"))
}

func (f serviceFlags) plan(region string) (p servicePlan, err error) {
	p = servicePlan{
		cluster: f.cluster, service: f.service, region: region, logGroup: f.logGroup, desired: f.desired, wait: f.wait,
		controller: types.DeploymentControllerType(f.controller), strategy: types.DeploymentStrategy(f.strategy),
	}
	if f.service == "" {
		return p, errors.New("--service is needed")
	}
	if f.desired < 0 {
		return p, fmt.Errorf("--desired %d must not be negative", f.desired)
	}
	if len(f.containers) == 0 {
		return p, errors.New("--container name=image is needed, once for each container")
	}
	for _, text := range f.containers {
		name, ref, ok := strings.Cut(text, "=")
		if !ok || name == "" || ref == "" {
			return p, fmt.Errorf("--container %q must be name=image", text)
		}
		if p.container(name) != nil {
			return p, fmt.Errorf("--container %q: there are two of that name", name)
		}
		p.containers = append(p.containers, plannedContainer{name: name, image: parseImage(ref)})
	}
	for _, step := range []func(serviceFlags) error{p.readEnv, p.readHealthChecks, p.readPorts, p.readLoadBalancer, p.readDeployment} {
		if err := step(f); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *servicePlan) container(name string) *plannedContainer {
	for i := range p.containers {
		if p.containers[i].name == name {
			return &p.containers[i]
		}
	}
	return nil
}

func (p *servicePlan) readEnv(f serviceFlags) error {
	for _, text := range f.env {
		variable, value, ok := strings.Cut(text, "=")
		name, key, dotted := strings.Cut(variable, ".")
		c := p.container(name)
		if !ok || !dotted || key == "" || c == nil {
			return fmt.Errorf("--env %q must be container.NAME=VALUE with one of the containers", text)
		}
		c.env = append(c.env, types.KeyValuePair{Name: &key, Value: &value})
	}
	return nil
}

func (p *servicePlan) readHealthChecks(f serviceFlags) error {
	for _, text := range f.healthChecks {
		name, command, _ := strings.Cut(text, "=")
		c := p.container(name)
		if command == "" || c == nil {
			return fmt.Errorf("--health-check %q must be container=command with one of the containers", text)
		}
		c.healthCheck = command
	}
	return nil
}

func (p *servicePlan) readPorts(f serviceFlags) error {
	for _, text := range f.ports {
		c, port := p.port(text)
		if c == nil {
			return fmt.Errorf("--port %q must be container:port with one of the containers", text)
		}
		c.listen(port)
	}
	return nil
}

// port parses container:port. The container is nil if it is neither.
func (p *servicePlan) port(text string) (*plannedContainer, int32) {
	name, number, _ := strings.Cut(text, ":")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || port == 0 {
		return nil, 0
	}
	return p.container(name), int32(port)
}

// listen adds a port that a container listens on.
func (c *plannedContainer) listen(port int32) {
	for _, m := range c.ports {
		if *m.ContainerPort == port {
			return
		}
	}
	c.ports = append(c.ports, types.PortMapping{ContainerPort: &port, HostPort: &port, Protocol: types.TransportProtocolTcp})
}

func (p *servicePlan) readLoadBalancer(f serviceFlags) error {
	if f.loadBalancer == "" {
		return nil
	}
	c, port := p.port(f.loadBalancer)
	if c == nil {
		return fmt.Errorf("--load-balancer %q must be container:port with one of the containers", f.loadBalancer)
	}
	c.listen(port)
	p.balanced = &balancedPort{c.name, port}
	return nil
}

func (p *servicePlan) readDeployment(f serviceFlags) error {
	switch f.breaker {
	case "rollback":
		p.breaker = types.DeploymentCircuitBreaker{Enable: true, Rollback: true}
	case "stop":
		p.breaker = types.DeploymentCircuitBreaker{Enable: true}
	case "off":
	default:
		return fmt.Errorf("--circuit-breaker %q must be rollback, stop or off", f.breaker)
	}
	switch {
	case !slices.Contains(p.controller.Values(), p.controller):
		return fmt.Errorf("--controller %q must be ECS, CODE_DEPLOY or EXTERNAL", f.controller)
	case !slices.Contains(p.strategy.Values(), p.strategy):
		return fmt.Errorf("--strategy %q must be ROLLING, BLUE_GREEN, LINEAR or CANARY", f.strategy)
	case p.strategy != types.DeploymentStrategyRolling && p.controller != types.DeploymentControllerTypeEcs:
		return fmt.Errorf("--strategy %s goes with --controller ECS only", f.strategy)
	case p.balanced == nil && p.controller == types.DeploymentControllerTypeCodeDeploy:
		return errors.New("--controller CODE_DEPLOY needs a --load-balancer, whose traffic CodeDeploy shifts")
	case p.balanced == nil && (p.strategy == types.DeploymentStrategyLinear || p.strategy == types.DeploymentStrategyCanary):
		return fmt.Errorf("--strategy %s needs a --load-balancer, whose traffic it shifts", f.strategy)
	}
	return nil
}

// canFollow tells whether a service that is there can become what is planned.
func (p servicePlan) canFollow(old *types.Service) error {
	if old == nil {
		return nil
	}
	is := types.DeploymentControllerTypeEcs
	if old.DeploymentController != nil {
		is = old.DeploymentController.Type
	}
	switch {
	case is != p.controller:
		return fmt.Errorf("service %s/%s is there already with the controller %s", p.cluster, p.service, is)
	case is != types.DeploymentControllerTypeEcs:
		return fmt.Errorf("service %s/%s is there already: its controller %s alone gives it task definitions", p.cluster, p.service, is)
	}
	return nil
}
