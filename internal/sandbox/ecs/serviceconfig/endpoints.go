// Package serviceconfig has the rules of CreateService about the surroundings of a
// service: its network, and the target groups and Cloud Map services that its tasks are
// registered in.
package serviceconfig

import (
	"cmp"
	"strings"
	"sync"
)

// TargetGroups are the target groups of an account.
type TargetGroups interface {
	// Get returns the target type of a target group, and reports whether a listener of a
	// load balancer forwards to it, and whether it exists.
	Get(arn string) (kind string, attached, ok bool)
	// Make makes a target group for addresses, with a listener.
	Make(arn string)
}

// Registry is a service of Cloud Map.
type Registry struct {
	// Record is the type of its DNS records; "SRV" if empty.
	Record string
}

// Endpoints are the target groups and Cloud Map services of an account, by their ARNs.
type Endpoints struct {
	groups TargetGroups

	mu         sync.Mutex
	registries map[string]Registry
}

// NewEndpoints returns an account without Cloud Map services.
func NewEndpoints(groups TargetGroups) *Endpoints {
	return &Endpoints{groups: groups, registries: map[string]Registry{}}
}

// SetRegistry makes a service of Cloud Map, or replaces it.
func (e *Endpoints) SetRegistry(arn string, r Registry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r.Record = cmp.Or(r.Record, "SRV")
	e.registries[arn] = r
}

// Learn makes the target group or Cloud Map service of an ARN unless it is there, as a
// stack does that has it among its outputs. Other texts are left alone.
func (e *Endpoints) Learn(arn string) {
	switch {
	case strings.Contains(arn, ":targetgroup/"):
		if _, _, known := e.groups.Get(arn); !known {
			e.groups.Make(arn)
		}
	case strings.Contains(arn, ":servicediscovery:"):
		if _, known := e.registry(arn); !known {
			e.SetRegistry(arn, Registry{})
		}
	}
}

func (e *Endpoints) registry(arn string) (Registry, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, known := e.registries[arn]
	return r, known
}
