package engine

import (
	"net/url"

	"github.com/moby/moby/client"
)

// ClearText is the first address on the way to which others can read what is sent: that of
// another host, by tcp without TLS. It is empty where there is none.
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

func (p place) clearText() bool {
	u, err := url.Parse(p.Address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "tcp":
		return p.TLS == "" && !sameHost(p.Address)
	case "docker-container":
		// By way of the docker CLI, which goes by these variables.
		host := p.getenv(client.EnvOverrideHost)
		there, err := url.Parse(host)
		return err == nil && there.Scheme == "tcp" && !sameHost(host) && p.getenv(client.EnvTLSVerify) == "" && p.getenv("DOCKER_TLS") == ""
	default:
		return false // a socket of this host, or what another program carries and guards
	}
}
