package taskdef

import (
	"cmp"
	"fmt"
	"strings"
)

// mapping is a PortMapping of the API reference.
type mapping struct {
	ContainerPort int    `json:"containerPort"`
	Range         string `json:"containerPortRange"`
	HostPort      int    `json:"hostPort"`
	Protocol      string `json:"protocol"`
}

// checkNetwork checks ports, and the settings that containers cannot have where they
// share the network interface of their task.
func (r request) checkNetwork(s Settings) error {
	shared := s.NetworkMode == "awsvpc"
	taken := map[string]bool{}
	for _, c := range r.Containers {
		for _, m := range c.Mappings {
			if err := m.check(c, shared); err != nil {
				return err
			}
			port := m.HostPort
			if shared {
				port = m.ContainerPort
			}
			key := fmt.Sprintf("%s host port '%d'", strings.ToUpper(cmp.Or(m.Protocol, "tcp")), port)
			if port != 0 && taken[key] {
				return clientError("%s is mapped multiple times in task.", key)
			}
			taken[key] = true
		}
		for setting, present := range map[string]bool{
			"Links are": len(c.Links) > 0, "Extra hosts are": len(c.ExtraHosts) > 0, "Hostname is": c.Hostname != "",
			"DNS servers are": len(c.DNSServers) > 0, "DNS search domains are": len(c.DNSSearchDomains) > 0,
			"Disabled networking is": c.DisableNetworking,
		} {
			if shared && present {
				return clientError("%s not supported when networkMode=awsvpc.", setting)
			}
		}
	}
	return nil
}

func (m mapping) check(c container, shared bool) error {
	switch {
	case m.Range == "" && (m.ContainerPort < 1 || m.ContainerPort > 65535):
		return clientError("Invalid 'containerPort' setting for container '%s'.", c.Name)
	case m.Protocol != "" && m.Protocol != "tcp" && m.Protocol != "udp":
		return clientError("Invalid 'protocol' setting for container '%s'.", c.Name)
	case shared && m.HostPort != 0 && m.HostPort != m.ContainerPort:
		return clientError("When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
	}
	return nil
}
