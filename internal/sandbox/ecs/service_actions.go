package ecs

import (
	"cmp"
	"slices"

	"slipway/internal/sandbox/awsapi"
)

type deleteServiceIn struct {
	Cluster string `json:"cluster"`
	Service string `json:"service"`
	Force   bool   `json:"force"`
}

// deleteService has a service drain. It is INACTIVE when its tasks have
// stopped.
func deleteService(e *region, in deleteServiceIn) (out serviceOut, err error) {
	s, err := e.service(in.Cluster, in.Service)
	if err != nil {
		return out, err
	}
	if s.desired > 0 && !in.Force && !s.daemon() {
		return out, parameterError("The service cannot be stopped while it is scaled above 0.")
	}
	s.status, s.desired = "DRAINING", 0
	e.supersede(s, e.now())
	return serviceOut{e.describeService(s, true)}, nil
}

type describeServicesIn struct {
	Cluster  string   `json:"cluster"`
	Services []string `json:"services"`
	Include  []string `json:"include"`
}

type describeServicesOut struct {
	Services []object  `json:"services"`
	Failures []failure `json:"failures"`
}

func describeServices(e *region, in describeServicesIn) (describeServicesOut, error) {
	out := describeServicesOut{Services: []object{}, Failures: []failure{}}
	c, err := e.cluster(in.Cluster)
	switch {
	case err != nil:
		return out, err
	case len(in.Services) == 0:
		return out, parameterError("Services cannot be empty.")
	case len(in.Services) > 10:
		return out, parameterError("Services cannot have more than 10 entries.")
	}
	for _, id := range in.Services {
		if s := c.service(id); s != nil {
			out.Services = append(out.Services, e.describeService(s, slices.Contains(in.Include, "TAGS")))
		} else {
			out.Failures = append(out.Failures, failure{e.arn("service", c.name, lastPart(id)), "MISSING"})
		}
	}
	return out, nil
}

type listServicesIn struct {
	awsapi.Paging
	Cluster            string `json:"cluster"`
	LaunchType         string `json:"launchType"`
	SchedulingStrategy string `json:"schedulingStrategy"`
}

type listServicesOut struct {
	ServiceArns []string `json:"serviceArns"`
	NextToken   string   `json:"nextToken,omitempty"`
}

// listServices returns ten services a page by default, as the reference has it.
func listServices(e *region, in listServicesIn) (out listServicesOut, err error) {
	c, err := e.cluster(in.Cluster)
	if err != nil {
		return out, err
	}
	arns := []string{}
	for _, s := range c.services {
		if s.status == "ACTIVE" && (in.LaunchType == "" || in.LaunchType == s.launchType()) &&
			(in.SchedulingStrategy == "" || in.SchedulingStrategy == s.strategy()) {
			arns = append(arns, s.arn)
		}
	}
	slices.Sort(arns)
	out.ServiceArns, out.NextToken, err = awsapi.PageOfARNs(in.Paging, 10, arns)
	return out, err
}

func (s *service) launchType() string {
	if s.fargate() {
		return "FARGATE"
	}
	return "EC2"
}

func (s *service) strategy() string { return cmp.Or(s.parsed.SchedulingStrategy, "REPLICA") }
