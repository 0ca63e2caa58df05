// Package serviceconfig has the rules of CreateService about the surroundings of a
// service: its network, and the target groups and Cloud Map services that its tasks are
// registered in.
package serviceconfig

import (
	"cmp"
	"strings"
	"sync"
)

// TargetGroup is a target group of Elastic Load Balancing.
type TargetGroup struct {
	// Type is the target type; "ip" if empty.
	Type string
	// Unattached reports that no listener of a load balancer forwards to it.
	Unattached bool
}

// Registry is a service of Cloud Map.
type Registry struct {
	// Record is the type of its DNS records; "SRV" if empty.
	Record string
}

// Endpoints are the target groups and Cloud Map services of an account, by their ARNs.
type Endpoints struct {
	mu         sync.Mutex
	groups     map[string]TargetGroup
	registries map[string]Registry
}

// NewEndpoints returns an account without any.
func NewEndpoints() *Endpoints {
	return &Endpoints{groups: map[string]TargetGroup{}, registries: map[string]Registry{}}
}

// SetTargetGroup makes a target group, or replaces it.
func (e *Endpoints) SetTargetGroup(arn string, g TargetGroup) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g.Type = cmp.Or(g.Type, "ip")
	e.groups[arn] = g
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
		if _, known := e.group(arn); !known {
			e.SetTargetGroup(arn, TargetGroup{})
		}
	case strings.Contains(arn, ":servicediscovery:"):
		if _, known := e.registry(arn); !known {
			e.SetRegistry(arn, Registry{})
		}
	}
}

func (e *Endpoints) group(arn string) (TargetGroup, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g, known := e.groups[arn]
	return g, known
}

func (e *Endpoints) registry(arn string) (Registry, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, known := e.registries[arn]
	return r, known
}
