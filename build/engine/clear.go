package engine

import (
	"net/url"

	"github.com/docker/cli/cli/context/docker"
	"github.com/moby/moby/client"
)

// ClearText returns the first address on the way to which others can read the
// traffic: that of another host, by tcp without TLS. It is empty if there is
// none.
func (o Options) ClearText() string {
	places, err := o.split()
	if err != nil {
		return "" // Check says it
	}
	for _, p := range places {
		if p.clearText() {
			return p.Address
		}
	}
	return ""
}

func (p candidate) clearText() bool {
	u, err := url.Parse(p.Address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "tcp":
		return p.TLS == "" && !sameHost(p.Address)
	case "docker-container":
		// By way of the docker command, with the context that the address names.
		if name := u.Query().Get("context"); name != "" {
			p.LookupEnv = p.withContext(name)
		}
		_, endpoint, err := p.dockerEndpoint()
		return err == nil && clearHost(endpoint)
	default:
		return false // a socket of this host, or what another program carries and guards
	}
}

// withContext returns the environment in which the docker command uses a given
// context.
func (p candidate) withContext(name string) func(string) (string, bool) {
	return func(variable string) (string, bool) {
		switch variable {
		case client.EnvOverrideHost:
			return "", false
		case "DOCKER_CONTEXT":
			return name, true
		default:
			v := p.getenv(variable)
			return v, v != ""
		}
	}
}

// clearHost reports whether others can read the traffic to a Docker engine.
func clearHost(e docker.Endpoint) bool {
	u, err := url.Parse(e.Host)
	return err == nil && u.Scheme == "tcp" && !sameHost(e.Host) && e.TLSData == nil && !e.SkipTLSVerify
}
