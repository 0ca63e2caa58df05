package ecs

import (
	"encoding/json"
	"time"

	"slipway/internal/sandbox/ecs/taglist"
	"slipway/internal/sandbox/ecs/taskdef"
)

// taskFamily has the revisions of a task definition, oldest first.
type taskFamily struct {
	name      string
	revisions []*taskDefinition
}

// taskDefinition keeps every field of the request that registered it, also
// those unknown here.
type taskDefinition struct {
	family       string
	revision     int
	arn          string
	fields       map[string]json.RawMessage
	tags         taglist.List
	registered   time.Time
	deregistered time.Time // zero while ACTIVE
	taskdef.Settings
}

func (d *taskDefinition) status() string {
	if d.deregistered.IsZero() {
		return "ACTIVE"
	}
	return "INACTIVE"
}
