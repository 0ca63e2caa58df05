package outputs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/internal/fault"
	"slipway/rollout/task"
	"slipway/stack"
)

// Surroundings returns the surroundings of a task, as far as its definition has names in
// capitals for them. An error of the kind fault.Usage names the missing output.
func (o Outputs) Surroundings(d task.Definition) (task.Surroundings, error) {
	out := task.Surroundings{Region: o.Region, Account: o.Account, Outputs: o.Values}
	fields := map[string]*string{}
	for _, p := range d.Unknown() {
		switch {
		case p.Field == "executionRoleArn":
			fields["ExecutionRole"] = &out.ExecutionRole
		case p.Field == "taskRoleArn":
			fields["TaskRole"] = &out.TaskRole
		case p.Name == "awslogs-group":
			fields["LogGroup"] = &out.LogGroup
		case p.Field == "environment" && fields[p.From] == nil:
			fields[p.From] = new(string)
		}
	}
	return out, o.fill(fields)
}

// Network is the network of tasks.
type Network struct {
	// Subnets and SecurityGroups are ids.
	Subnets, SecurityGroups []string
	// AssignPublicIP is ENABLED or DISABLED, as in ECS's AwsVpcConfiguration.
	AssignPublicIP string
}

// Network returns the network of tasks. An error of the kind fault.Usage names the
// missing or invalid output.
func (o Outputs) Network() (Network, error) {
	var subnets, groups string
	if err := o.fill(map[string]*string{"Subnets": &subnets, "SecurityGroup": &groups}); err != nil {
		return Network{}, err
	}
	out := Network{list(subnets), list(groups), cmp.Or(o.Values["AssignPublicIp"], "DISABLED")}
	if !slices.Contains([]string{"ENABLED", "DISABLED"}, out.AssignPublicIP) {
		return Network{}, fault.New(fault.Usage, fmt.Errorf("stack %s: the output AssignPublicIp is %q", o.Stack, out.AssignPublicIP), "give it the value ENABLED or DISABLED")
	}
	return out, nil
}

// list splits a list with commas.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// Endpoint is where an ECS service receives requests: one of both is empty.
type Endpoint struct {
	// TargetGroup is the ARN of a target group of a load balancer.
	TargetGroup string
	// Registry is the ARN of a service of Cloud Map.
	Registry string
}

// Endpoint returns the endpoint of an ECS service, given by its name. An error of the
// kind fault.Usage says that the stack has none for it, or two.
func (o Outputs) Endpoint(service string) (Endpoint, error) {
	registry, others := o.registry(service)
	out := Endpoint{o.Values["TargetGroup"], registry}
	switch {
	case out.TargetGroup != "" && out.Registry != "":
		return Endpoint{}, fault.New(fault.Usage, fmt.Errorf("stack %s has both outputs TargetGroup and Registry", o.Stack), "remove one of them from its template")
	case out == Endpoint{} && len(others) > 0:
		return Endpoint{}, fault.New(fault.Usage, fmt.Errorf("stack %s has no Registry for the ECS service %s, but for %s", o.Stack, service, strings.Join(others, ", ")),
			"add the service to the parameters of the stack, such as Service2")
	case out == Endpoint{}:
		return Endpoint{}, o.missing("TargetGroup", "Registry")
	}
	return out, nil
}

// slots are the ends of the outputs of site-api, which has up to three ECS services.
var slots = []string{"", "2", "3"}

// registry returns the ARN of the Cloud Map service of an ECS service. Without an output
// Service, Registry is that of any. others are the services that have one.
func (o Outputs) registry(service string) (arn string, others []string) {
	for _, slot := range slots {
		named := o.Values["Service"+slot]
		if named == service && o.Values["Registry"+slot] != "" {
			return o.Values["Registry"+slot], nil
		}
		if named != "" {
			others = append(others, named)
		}
	}
	if len(others) > 0 {
		return "", others
	}
	return o.Values["Registry"], nil
}

// Cluster returns the name or the ARN of the ECS cluster; empty if the stack names none.
func (o Outputs) Cluster() string { return o.Values["Cluster"] }

// URL returns the address of the site; empty if the stack names none.
func (o Outputs) URL() string { return o.Values["Url"] }

// fill sets fields to outputs, by their names.
func (o Outputs) fill(fields map[string]*string) error {
	var missing []string
	for name, field := range fields {
		if *field = o.Values[name]; *field == "" {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	var errs []error
	for _, name := range missing {
		errs = append(errs, o.missing(name))
	}
	return errors.Join(errs...)
}

// missing is the error for an output that is not there, or for several of which one
// would do. It names the templates that have it.
func (o Outputs) missing(any ...string) error {
	var templates []string
	for _, output := range any {
		with, err := stack.WithOutput(output)
		if err != nil {
			return err
		}
		templates = append(templates, with...)
	}
	slices.Sort(templates)
	problem := fmt.Errorf("stack %s has no output %s", o.Stack, strings.Join(any, " or "))
	if len(templates) == 0 {
		return fault.New(fault.Usage, problem, "add it to the template of the stack, or correct x-slipway.outputs, which names it")
	}
	return fault.New(fault.Usage, problem,
		fmt.Sprintf("deploy a template of `slipway stack` that has it (%s), or add it to your own template", strings.Join(slices.Compact(templates), ", ")))
}
