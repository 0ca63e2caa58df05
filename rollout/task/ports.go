package task

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway/internal/fault"
)

const (
	maxPort = 65535
	// maxMappings bounds the ports of a container; RegisterTaskDefinition takes 100
	// ranges of them (PortMapping in the API reference).
	maxMappings = 100
)

// portName is the grammar of a port mapping's name ("name" under "Port mappings" in
// the ECS developer guide).
var portName = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]{0,63}$`)

// appProtocols are the values of ApplicationProtocol in the API reference.
var appProtocols = []string{"http", "http2", "grpc"}

// ports carries the ports inside the container: those of ports and expose, or else
// those that the Dockerfile exposes.
func (t *translator) ports() error {
	for _, p := range t.Ports {
		if p.Name != "" && !portName.MatchString(p.Name) {
			return t.refuse("ports", "use lower-case letters, digits, _ and -", "%q is not the name of a port on ECS", p.Name)
		}
		mapping := PortMapping{ContainerPort: int(p.Target), Protocol: p.Protocol, Name: p.Name}
		if slices.Contains(appProtocols, p.AppProtocol) {
			mapping.AppProtocol = p.AppProtocol
		} else if p.AppProtocol != "" {
			t.warn("ports", "has an app_protocol that ECS does not have, which is left out: use http, http2 or grpc")
		}
		if err := t.addPort("ports", mapping); err != nil {
			return err
		}
	}
	if err := t.addPorts("expose", t.Expose); err != nil {
		return err
	}
	if len(t.out.PortMappings) == 0 {
		t.exposed = true
		return t.addPorts("build", t.images[t.Name].Exposed)
	}
	return nil
}

// addPorts adds ports such as 8080, 8080/udp and 3000-3002.
func (t *translator) addPorts(key string, list []string) error {
	for _, text := range list {
		numbers, protocol, _ := strings.Cut(text, "/")
		first, last, isRange := strings.Cut(numbers, "-")
		from, err := strconv.Atoi(first)
		to := from
		if err == nil && isRange {
			to, err = strconv.Atoi(last)
		}
		if err != nil || to < from || to > maxPort {
			return t.refuse(key, "write ports from 1 to 65535, such as 8080 or 8080/udp", "%q is not a port", text)
		}
		for port := from; port <= to; port++ {
			if err := t.addPort(key, PortMapping{ContainerPort: port, Protocol: protocol}); err != nil {
				return err
			}
		}
	}
	return nil
}

// addPort adds a port unless the container has it.
func (t *translator) addPort(key string, m PortMapping) error {
	m.Protocol = cmp.Or(strings.ToLower(m.Protocol), "tcp")
	switch {
	case m.ContainerPort < 1 || m.ContainerPort > maxPort:
		return t.refuse(key, "write ports from 1 to 65535", "%d is not a port", m.ContainerPort)
	case m.Protocol != "tcp" && m.Protocol != "udp":
		return t.refuse(key, "use tcp or udp", "ECS has no ports of the protocol %q", m.Protocol)
	case slices.ContainsFunc(t.out.PortMappings, m.same):
		return nil
	case len(t.out.PortMappings) == maxMappings:
		return t.refuse(key, "publish fewer ports", "has more than %d ports", maxMappings)
	}
	t.out.PortMappings = append(t.out.PortMappings, m)
	return nil
}

// same reports whether two mappings are of one port.
func (m PortMapping) same(o PortMapping) bool {
	return m.ContainerPort == o.ContainerPort && m.Protocol == o.Protocol
}

// ports refuses a port that two containers of a task would listen on. A port that only
// a Dockerfile exposes gives way to one of the compose file: two services may run one
// image.
func (d *deriver) ports(g *group, _ *Definition) error {
	for i, u := range g.services {
		for _, other := range g.services[i+1:] {
			for _, m := range u.out.PortMappings {
				if !slices.ContainsFunc(other.out.PortMappings, m.same) {
					continue
				}
				if u.exposed == other.exposed {
					return fault.NewInput("services."+other.Name+".ports",
						fmt.Sprintf("its container listens on port %d/%s, like that of service %s in the same task", m.ContainerPort, m.Protocol, u.Name),
						"let one of them listen on another port, or run it in an ECS service of its own with x-slipway.ecs")
				}
				loser := u
				if other.exposed {
					loser = other
				}
				loser.out.PortMappings = slices.DeleteFunc(slices.Clone(loser.out.PortMappings), m.same)
			}
		}
	}
	return nil
}

// checkEntries refuses entries that are not services with a container.
func (d *deriver) checkEntries(all map[string]*unit) error {
	for _, name := range d.task.Entry {
		if u := all[name]; u == nil || u.settings.Undeployed || slices.Contains(d.task.Before, name) {
			return d.unknown("x-slipway.task.entry", name)
		}
	}
	return nil
}

// entry finds the port that receives requests: that of the container that
// x-slipway.task.entry names, else that of the only one that publishes ports, else that
// of the only one that has ports. Several that publish ports are refused.
func (d *deriver) entry(g *group, out *Definition) error {
	var named, published, listening []*unit
	for _, u := range g.services {
		if slices.Contains(d.task.Entry, u.Name) {
			named = append(named, u)
		}
		if len(u.Ports) > 0 {
			published = append(published, u)
		}
		if len(u.out.PortMappings) > 0 {
			listening = append(listening, u)
		}
	}
	if g.before != "" {
		return nil
	}
	if len(listening) > 1 {
		listening = nil
	}
	for _, candidates := range [][]*unit{named, published, listening} {
		if len(candidates) > 1 {
			return fault.NewInput("x-slipway.task.entry", "several services of one task publish ports: "+namesOf(candidates),
				"name the one that receives requests, such as entry: "+candidates[0].Name)
		}
		if len(candidates) == 1 {
			u := candidates[0]
			if len(u.out.PortMappings) == 0 {
				return fault.NewInput("x-slipway.task.entry", "service "+u.Name+" has no port", "give it ports or expose")
			}
			out.Entry = &Entry{u.out.Name, u.out.PortMappings[0].ContainerPort}
			return nil
		}
	}
	return nil
}

func namesOf(units []*unit) string {
	var names []string
	for _, u := range units {
		names = append(names, u.Name)
	}
	return strings.Join(names, ", ")
}
