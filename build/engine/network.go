package engine

import (
	"cmp"
	"strings"
)

// Network is the network that the RUN steps of a managed engine have.
type Network string

// The networks of a managed engine, in the words that --engine-network takes.
const (
	// NetworkAuto is NetworkBridge where this host can set it up, else NetworkHost.
	NetworkAuto Network = "auto"
	// NetworkBridge is a network of the engine's own, from which RUN steps reach
	// other hosts, but neither this host nor link-local addresses.
	NetworkBridge Network = "bridge"
	// NetworkHost is this host's network: RUN steps reach what this host reaches.
	NetworkHost Network = "host"
)

// networks are the values of --engine-network; empty means NetworkAuto.
var networks = []string{string(NetworkAuto), string(NetworkBridge), string(NetworkHost)}

func (o Options) checkNetwork() error {
	switch o.Network {
	case "", NetworkAuto, NetworkBridge, NetworkHost:
		return nil
	default:
		return badAddress(cmp.Or(o.NetworkFrom, "network"), "write one of "+strings.Join(networks, ", "), "%q is not a network", o.Network)
	}
}

// network returns the network asked for, with the default filled in.
func (o Options) network() Network {
	if o.Network == "" {
		return NetworkAuto
	}
	return o.Network
}

// NetworkError says why the RUN steps of a managed engine have this host's
// network although it was not asked for.
type NetworkError struct {
	// Reason is why the engine could not have a network of its own.
	Reason string
	// Remedy is how to make that network possible; empty where it is not known.
	Remedy string
}

// Error says what follows for the RUN steps, and why.
func (e *NetworkError) Error() string {
	return "RUN steps of the managed engine have this host's network: they reach its loopback, and the credentials at 169.254.169.254 and 169.254.170.2: " + e.Reason
}

// SharedError is a managed engine that another job uses with another network.
type SharedError struct {
	// Has is the engine's network, and Wanted the network of this job.
	Has, Wanted Network
}

// Error names both networks.
func (e *SharedError) Error() string {
	return "another job uses the engine with the network " + string(e.Has) + ", and this job wants the network " + string(e.Wanted)
}
