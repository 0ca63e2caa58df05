package ecs

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/deployconfig"
)

type updateServiceIn struct {
	Cluster            string `json:"cluster"`
	Service            string `json:"service"`
	TaskDefinition     string `json:"taskDefinition"`
	DesiredCount       *int   `json:"desiredCount"`
	ForceNewDeployment bool   `json:"forceNewDeployment"`
}

// updateService changes a service. It begins a deployment if, by the reference,
// a change "triggers a new service deployment".
func updateService(e *region, fields map[string]json.RawMessage) (out serviceOut, err error) {
	var in updateServiceIn
	if err := awsapi.DecodeFields(fields, &in); err != nil {
		return out, err
	}
	s, err := e.service(in.Cluster, in.Service)
	if err != nil {
		return out, err
	}
	if s.status != "ACTIVE" {
		return out, awsapi.NewError("ServiceNotActiveException", "Service was not ACTIVE.")
	}
	u, err := e.planUpdate(s, in, fields)
	if err != nil {
		return out, err
	}
	before := s.current()
	if err := e.apply(s, u); err != nil {
		return out, err
	}
	answer := e.describeService(s, true)
	if e.quirks.LateCurrent && before != nil {
		answer["currentServiceDeployment"] = before.arn
		answer["currentServiceRevisions"] = []object{e.revisionSummary(before.target, "")}
	}
	return serviceOut{answer}, nil
}

// serviceUpdate is a checked request of UpdateService.
type serviceUpdate struct {
	settings   map[string]json.RawMessage
	parsed     serviceSettings
	definition *taskDefinition
	desired    int
	deploys    bool
}

func (e *region) planUpdate(s *service, in updateServiceIn, fields map[string]json.RawMessage) (u serviceUpdate, err error) {
	changes := awsapi.Present(fields, slices.Collect(maps.Keys(serviceFields))...)
	if err := s.mayChange(in, changes); err != nil {
		return u, err
	}
	u = serviceUpdate{settings: maps.Clone(s.settings), definition: s.definition, desired: s.desired, deploys: in.ForceNewDeployment}
	for name, v := range changes {
		// An empty list where there was none changes nothing.
		if serviceFields[name] && string(v) != cmp.Or(string(s.settings[name]), "[]") {
			u.deploys = true
		}
		u.settings[name] = v
	}
	if err := awsapi.DecodeFields(u.settings, &u.parsed); err != nil {
		return u, err
	}
	if err := u.parsed.checkDeployments(u.settings["deploymentConfiguration"], s.daemon()); err != nil {
		return u, err
	}
	if in.DesiredCount != nil {
		u.desired = *in.DesiredCount
	}
	if in.TaskDefinition != "" {
		if u.definition, err = e.deployable(in.TaskDefinition); err != nil {
			return u, err
		}
		u.deploys = u.deploys || u.definition != s.definition
	} else if u.deploys && !s.definition.deregistered.IsZero() {
		return u, clientError("TaskDefinition is inactive")
	}
	if u.definition == nil {
		return u, nil
	}
	after := *s
	after.parsed = u.parsed
	return u, after.fits(u.definition)
}

// mayChange returns an error for changes that a service does not accept.
func (s *service) mayChange(in updateServiceIn, changes map[string]json.RawMessage) error {
	if s.daemon() && in.DesiredCount != nil {
		return parameterError("The daemon scheduling strategy does not support a desired count.")
	}
	if in.DesiredCount != nil && *in.DesiredCount < 0 {
		return parameterError("Desired count must not be negative.")
	}
	return deployconfig.Refuse(s.controller(), in.TaskDefinition != "", in.ForceNewDeployment, changes)
}

func (e *region) apply(s *service, u serviceUpdate) error {
	s.settings, s.parsed = u.settings, u.parsed
	if u.desired != s.desired {
		s.desired, s.steady = u.desired, false
	}
	if u.deploys && s.controller() == "ECS" {
		return e.deploy(s, u.definition)
	}
	return nil
}
