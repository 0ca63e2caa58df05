package serviceconfig

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"slipway/internal/sandbox/awsapi"
)

// Checked returns ECS with a CreateService that first applies the rules of this package.
func Checked(ecs awsapi.Service, endpoints *Endpoints) awsapi.Service {
	actions := maps.Clone(ecs.Actions)
	c := &checker{ecs: ecs.Actions, endpoints: endpoints, made: map[made]string{}}
	actions["CreateService"] = c.create
	ecs.Actions = actions
	return ecs
}

type checker struct {
	ecs       map[string]awsapi.Action
	endpoints *Endpoints

	mu sync.Mutex
	// made are the requests that have made services.
	made map[made]string
}

// made names a request by its client token.
type made struct{ region, cluster, service, token string }

// request is the part of CreateService's request that the rules read.
type request struct {
	Cluster         string `json:"cluster"`
	ServiceName     string `json:"serviceName"`
	TaskDefinition  string `json:"taskDefinition"`
	ClientToken     string `json:"clientToken"`
	LaunchType      string `json:"launchType"`
	PlatformVersion string `json:"platformVersion"`
	Scheduling      string `json:"schedulingStrategy"`
	PropagateTags   string `json:"propagateTags"`
	Grace           *int   `json:"healthCheckGracePeriodSeconds"`
	Strategy        []any  `json:"capacityProviderStrategy"`
	Network         *struct {
		VPC *struct {
			Subnets        []string `json:"subnets"`
			AssignPublicIP string   `json:"assignPublicIp"`
		} `json:"awsvpcConfiguration"`
	} `json:"networkConfiguration"`
	LoadBalancers []struct {
		TargetGroup string `json:"targetGroupArn"`
		target
	} `json:"loadBalancers"`
	Registries []struct {
		ARN  string `json:"registryArn"`
		Port int    `json:"port"`
		target
	} `json:"serviceRegistries"`
}

// target is a port of a container.
type target struct {
	Container string `json:"containerName"`
	Port      int    `json:"containerPort"`
}

// definition is the part of a task definition that the rules read.
type definition struct {
	NetworkMode string `json:"networkMode"`
	Containers  []struct {
		Name         string `json:"name"`
		PortMappings []struct {
			ContainerPort int `json:"containerPort"`
		} `json:"portMappings"`
	} `json:"containerDefinitions"`
}

// create checks a request and makes the service.
func (c *checker) create(call awsapi.Call, body []byte) (any, error) {
	var in request
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	d, found := c.read(call, in)
	if !found {
		return c.ecs["CreateService"](call, body) // it says which of both is missing
	}
	key := made{call.Region, cmp.Or(in.Cluster, "default"), in.ServiceName, in.ClientToken}
	if err := c.check(call, in, d, key, body); err != nil {
		return nil, err
	}
	out, err := c.ecs["CreateService"](call, body)
	if err == nil && in.ClientToken != "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.made[key] = string(body)
	}
	return out, err
}

func (c *checker) check(call awsapi.Call, in request, d definition, key made, body []byte) error {
	c.mu.Lock()
	before, repeated := c.made[key]
	c.mu.Unlock()
	if repeated && in.ClientToken != "" && before != string(body) && c.active(call, in) {
		return invalid("Creation of service was not idempotent.")
	}
	for _, rule := range []func(definition) error{in.checkWords, in.checkNetwork, c.balancers(in), c.registries(in)} {
		if err := rule(d); err != nil {
			return err
		}
	}
	return nil
}

// read returns the task definition of a request; false if it or the cluster is missing.
// A service with an external controller may have none.
func (c *checker) read(call awsapi.Call, in request) (definition, bool) {
	var clusters struct {
		Clusters []struct{ Status string }
	}
	var out struct{ TaskDefinition definition }
	if !c.ask(call, "DescribeClusters", map[string]any{"clusters": []string{cmp.Or(in.Cluster, "default")}}, &clusters) ||
		len(clusters.Clusters) != 1 || clusters.Clusters[0].Status != "ACTIVE" {
		return definition{}, false
	}
	found := c.ask(call, "DescribeTaskDefinition", map[string]any{"taskDefinition": in.TaskDefinition}, &out)
	return out.TaskDefinition, found
}

// active reports whether the service of a request is there.
func (c *checker) active(call awsapi.Call, in request) bool {
	var out struct{ Services []struct{ Status string } }
	found := c.ask(call, "DescribeServices", map[string]any{"cluster": in.Cluster, "services": []string{in.ServiceName}}, &out)
	return found && len(out.Services) == 1 && out.Services[0].Status == "ACTIVE"
}

// ask calls an action of ECS. It reports whether that succeeded.
func (c *checker) ask(call awsapi.Call, action string, in, out any) bool {
	body, err := json.Marshal(in)
	if err != nil {
		return false
	}
	answer, err := c.ecs[action](call, body)
	if err != nil {
		return false
	}
	if body, err = json.Marshal(answer); err != nil {
		return false
	}
	return json.Unmarshal(body, out) == nil
}

// maxToken is the limit of CreateService's reference for a client token.
const maxToken = 36

// checkWords checks the values of single fields.
func (in request) checkWords(definition) error {
	ec2 := in.LaunchType == "EC2" || in.LaunchType == "" && len(in.Strategy) == 0
	switch {
	case len(in.ClientToken) > maxToken:
		return invalid("The client token cannot be longer than %d characters.", maxToken)
	case !slices.Contains([]string{"", "EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"}, in.LaunchType):
		return invalid("Invalid launch type: %s", in.LaunchType)
	case !slices.Contains([]string{"", "REPLICA", "DAEMON"}, in.Scheduling):
		return invalid("Invalid scheduling strategy: %s", in.Scheduling)
	case !slices.Contains([]string{"", "NONE", "SERVICE", "TASK_DEFINITION"}, in.PropagateTags):
		return invalid("Invalid propagateTags: %s", in.PropagateTags)
	case ec2 && in.PlatformVersion != "":
		return invalid("The platform version must be null when specifying an EC2 launch type.")
	case in.Grace != nil && len(in.LoadBalancers) == 0:
		return invalid("Health check grace period is only valid for services configured to use load balancers")
	case in.Grace != nil && *in.Grace < 0:
		return invalid("Health check grace period must not be negative.")
	}
	return nil
}

// checkNetwork checks the network of tasks: those of the mode awsvpc have a network
// interface of their own, in one of the subnets.
func (in request) checkNetwork(d definition) error {
	given := in.Network != nil && in.Network.VPC != nil
	switch own := d.NetworkMode == "awsvpc"; {
	case own && !given:
		return invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	case !own && given:
		return invalid("Network Configuration is not valid for the given networkMode of this task definition.")
	case own && len(in.Network.VPC.Subnets) == 0:
		return invalid("subnets can not be empty.")
	case own && !slices.Contains([]string{"", "ENABLED", "DISABLED"}, in.Network.VPC.AssignPublicIP):
		return invalid("Invalid assignPublicIp: %s", in.Network.VPC.AssignPublicIP)
	}
	return nil
}

// balancers returns the rule about target groups.
func (c *checker) balancers(in request) func(definition) error {
	return func(d definition) error {
		wants, mode := "instance", cmp.Or(d.NetworkMode, "bridge")
		if mode == "awsvpc" {
			wants = "ip"
		}
		for _, lb := range in.LoadBalancers {
			if lb.TargetGroup == "" { // a classic load balancer, which the sandbox does not have
				continue
			}
			kind, attached, known := c.endpoints.groups.Get(lb.TargetGroup)
			switch {
			case !known:
				return invalid("The target group with targetGroupArn %s does not exist.", lb.TargetGroup)
			case !attached:
				return invalid("The target group with targetGroupArn %s does not have an associated load balancer.", lb.TargetGroup)
			case kind != wants:
				return invalid("The provided target group %s has target type %s, which is incompatible with the %s network mode specified in the task definition.",
					lb.TargetGroup, kind, mode)
			}
			if err := lb.target.check(d); err != nil {
				return err
			}
		}
		return nil
	}
}

// registries returns the rule about Cloud Map, by the reference of ServiceRegistry.
func (c *checker) registries(in request) func(definition) error {
	return func(d definition) error {
		if len(in.Registries) > 1 {
			return invalid("Multiple service registries for each service are not supported.")
		}
		for _, r := range in.Registries {
			registry, known := c.endpoints.registry(r.ARN)
			named := r.Container != "" && r.target.Port != 0
			switch {
			case !known:
				return invalid("The service registry %s does not exist.", r.ARN)
			case registry.Record == "SRV" && named == (r.Port != 0):
				return invalid("The values specified for serviceRegistries must have either a 'containerName' and 'containerPort' combination or a 'port' value.")
			case registry.Record != "SRV" && (r.target.Port != 0 || r.Port != 0):
				return invalid("The values specified for serviceRegistries do not require a value for 'containerPort'. Remove the value and retry.")
			}
			if !named {
				continue
			}
			if err := r.target.check(d); err != nil {
				return err
			}
		}
		return nil
	}
}

// check checks that a task definition has the port of a container.
func (t target) check(d definition) error {
	for _, c := range d.Containers {
		if c.Name != t.Container {
			continue
		}
		for _, m := range c.PortMappings {
			if m.ContainerPort == t.Port {
				return nil
			}
		}
		return invalid("The container %s did not have a container port %d defined.", t.Container, t.Port)
	}
	return invalid("The container %s does not exist in the task definition.", t.Container)
}

func invalid(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterException", format, args...)
}
