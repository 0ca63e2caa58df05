package stack

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"slipway/internal/awsname"
	"slipway/internal/fault"
	"slipway/rollout/task"
)

// Project is a compose project as the templates see it.
type Project struct {
	// Name is the name of the project.
	Name string
	// Stack is x-slipway.task.stack; empty if it is not there.
	Stack string
	// Repositories are the names of the repositories in ECR.
	Repositories []string
	// Definitions are the task definitions.
	Definitions []task.Definition
}

// Value is a value of a parameter, with the keys of CloudFormation's API.
type Value struct {
	Name  string `json:"ParameterKey"`
	Value string `json:"ParameterValue"`
}

// Derived are the parameters of a template that follow from a project.
type Derived struct {
	// Values are in the order of the template.
	Values []Value
	// Missing are the parameters without a default and without a value.
	Missing []Missing
}

// Missing is a parameter that needs a value.
type Missing struct {
	Name string
	// Err says why CloudFormation would refuse the value that follows from the project;
	// nil if none follows.
	Err error
}

// Problem says why the parameter has no value.
func (m Missing) Problem() string {
	if m.Err != nil {
		return m.Err.Error()
	}
	return m.Name + " has no default and is not in the compose file"
}

// Advice says how the parameter gets a value.
func (m Missing) Advice() string {
	add := "add " + m.Name + "=VALUE"
	if key := keys[m.Name]; key != "" {
		return key + ", or " + add
	}
	return add
}

// apiServices is the number of ECS services of the template site-api.
const apiServices = 3

// Derive returns the parameters of the template that follow from a project, for the ECS
// services with these names, or for all that receive requests. An error of the kind
// fault.Usage says that the services do not fit the template.
func (t Template) Derive(p Project, services []string) (Derived, error) {
	facts := map[string]string{
		"Project":      p.Name,
		"Repositories": repositories(p),
		"SiteStack":    stackName(p.Stack),
	}
	chosen, err := choose(p.Definitions, services)
	if err != nil {
		return Derived{}, err
	}
	switch t.Name {
	case "site-alb", "scaling":
		err = t.addOne(facts, chosen)
	case "site-api":
		err = t.addPaths(facts, chosen)
	case "pipeline":
		if len(services) == 0 {
			chosen = deployed(p.Definitions)
		}
		addPipeline(facts, chosen)
		if slices.ContainsFunc(p.Definitions, func(d task.Definition) bool { return len(d.Secrets) > 0 }) {
			facts["Secrets"] = p.Name + "/*"
		}
		facts["Before"] = oneOffFamilies(p)
	}
	if err != nil {
		return Derived{}, err
	}
	facts["Cluster"] = agreed(chosen, func(d task.Definition) string { return awsname.LastPart(d.ECS.Cluster) })
	return t.values(facts), nil
}

// values are the facts that the template has parameters for.
func (t Template) values(facts map[string]string) Derived {
	var out Derived
	for _, parameter := range t.Parameters {
		value := facts[parameter.Name]
		switch {
		case value != "":
			if err := parameter.Check(value); err != nil {
				out.Missing = append(out.Missing, Missing{parameter.Name, err})
				continue
			}
			out.Values = append(out.Values, Value{parameter.Name, value})
		case parameter.Default == nil:
			out.Missing = append(out.Missing, Missing{Name: parameter.Name})
		}
	}
	return out
}

// keys say how the compose file gives a parameter its value.
var keys = map[string]string{
	"Cluster":       "write x-slipway.ecs.cluster",
	"ContainerPort": "publish a port with ports",
	"Port1":         "publish a port with ports",
	"Project":       "give the project another name",
	"Repositories":  "give the repositories names that begin alike",
	"Service":       "write x-slipway.ecs.service",
	"Service1":      "write x-slipway.ecs.service",
	"SiteStack":     "write x-slipway.task.stack",
}

// oneOffFamilies returns one name or pattern for the families of all one-off tasks; empty
// if there are none.
func oneOffFamilies(p Project) string {
	out := ""
	for _, d := range p.Definitions {
		switch {
		case d.Before == "":
		case out == "":
			out = d.Input.Family
		default:
			out = p.Name + "-*"
		}
	}
	return out
}

// repositories returns one pattern for all repositories of a project.
func repositories(p Project) string {
	if len(p.Repositories) == 0 {
		return p.Name + "/*"
	}
	common := p.Repositories[0]
	for _, name := range p.Repositories[1:] {
		if common == name {
			continue
		}
		common = strings.TrimSuffix(common, "*")
		for common != "" && !(strings.HasPrefix(name, common) && strings.HasSuffix(common, "/")) {
			common = common[:strings.LastIndexByte(strings.TrimSuffix(common, "/"), '/')+1]
		}
		common += "*"
	}
	return common
}

// stackName returns the name of a stack that is given by its name or by its ARN,
// arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/ID.
func stackName(stack string) string {
	if _, rest, ok := strings.Cut(stack, ":stack/"); ok {
		stack, _, _ = strings.Cut(rest, "/")
	}
	return stack
}

// deployed are the definitions of ECS services, not those of one-off tasks.
func deployed(all []task.Definition) []task.Definition {
	return slices.DeleteFunc(slices.Clone(all), func(d task.Definition) bool { return d.Before != "" })
}

// serviceName is the name of the ECS service of a definition; empty if none is named.
func serviceName(d task.Definition) string { return awsname.LastPart(d.ECS.Service) }

// choose returns the definitions of the named ECS services, or of all that receive
// requests. Without any of these, it returns the only definition there is.
func choose(all []task.Definition, services []string) ([]task.Definition, error) {
	all = deployed(all)
	entries := slices.DeleteFunc(slices.Clone(all), func(d task.Definition) bool { return d.Entry == nil })
	if len(services) == 0 && len(entries) == 0 && len(all) == 1 {
		return all, nil
	}
	if len(services) == 0 {
		return entries, nil
	}
	var out []task.Definition
	for _, name := range services {
		i := slices.IndexFunc(entries, func(d task.Definition) bool { return serviceName(d) == name })
		if i < 0 {
			return nil, fault.New(fault.Usage, fmt.Errorf("--ecs-service: no ECS service %s receives requests", name),
				"name ECS services of the compose file whose containers have ports")
		}
		out = append(out, entries[i])
	}
	return out, nil
}

// addOne adds the facts of one ECS service.
func (t Template) addOne(facts map[string]string, chosen []task.Definition) error {
	if len(chosen) > 1 {
		remedy := "name one with --ecs-service"
		if t.Name == "site-alb" {
			remedy += ", or use the template site-api"
		}
		return t.refuse("one ECS service", chosen, remedy)
	}
	for _, d := range chosen {
		facts["Service"] = serviceName(d)
		facts["MinTasks"] = strconv.Itoa(d.Create.DesiredCount)
		if d.Entry != nil {
			facts["ContainerPort"] = strconv.Itoa(d.Entry.Port)
			facts["HealthCheckPath"] = HealthPath(d.Input, *d.Entry)
		}
	}
	return nil
}

// addPaths adds the facts of up to three ECS services, each with a path of its own. A
// single one has all paths.
func (t Template) addPaths(facts map[string]string, chosen []task.Definition) error {
	if len(chosen) > apiServices {
		return t.refuse(fmt.Sprintf("up to %d ECS services", apiServices), chosen, "name some with --ecs-service, and the others for a second stack with CreateCluster=no")
	}
	for i, d := range chosen {
		n := strconv.Itoa(i + 1)
		facts["Service"+n] = serviceName(d)
		if d.Entry != nil {
			facts["Port"+n] = strconv.Itoa(d.Entry.Port)
		}
		if len(chosen) > 1 {
			facts["Path"+n] = "/" + serviceName(d)
		}
	}
	return nil
}

func (t Template) refuse(room string, chosen []task.Definition, remedy string) error {
	var list []string
	for _, d := range chosen {
		list = append(list, cmp.Or(serviceName(d), d.Input.Family))
	}
	return fault.New(fault.Usage, fmt.Errorf("%s is for %s that receives requests, and the project has %d: %s", t.Name, room, len(list), strings.Join(list, ", ")), remedy)
}

// addPipeline adds the facts of all ECS services that a job deploys to.
func addPipeline(facts map[string]string, chosen []task.Definition) {
	facts["Service"] = agreed(chosen, serviceName)
	if len(chosen) > 1 {
		facts["Service"] = "*"
	}
	architecture := agreed(chosen, func(d task.Definition) string {
		if d.Input.RuntimePlatform == nil {
			return ""
		}
		return d.Input.RuntimePlatform.CPUArchitecture
	})
	if architecture == "ARM64" {
		facts["Architecture"] = "arm64"
	}
}

// agreed returns the value that all definitions have; empty if they differ.
func agreed(all []task.Definition, of func(task.Definition) string) string {
	value := ""
	for i, d := range all {
		if v := of(d); i == 0 {
			value = v
		} else if v != value {
			return ""
		}
	}
	return value
}
