package ecs

import (
	"encoding/json"
	"fmt"
)

// newFields are the fields of answers that ECS has since the end of 2024, about
// service deployments, strategies, hooks and Express Mode.
var newFields = map[string]bool{
	"currentServiceDeployment": true, "currentServiceRevisions": true, "lifecycleStage": true, "lifecycleHookDetails": true,
	"lifecycleHooks": true, "strategy": true, "bakeTimeInMinutes": true, "canaryConfiguration": true, "linearConfiguration": true,
	"earlySuccessCriteria": true, "resetOnHealthyTask": true, "thresholdConfiguration": true, "resourceManagementType": true,
	"availabilityZoneRebalancing": true, "requestedProductionTrafficWeight": true, "requestedTestTrafficWeight": true,
}

// withoutNewFields returns an answer without the new fields.
func withoutNewFields[Out any](out Out) (plain Out, err error) {
	raw, err := json.Marshal(out)
	if err != nil {
		return out, err
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return out, err
	}
	if raw, err = json.Marshal(strip(tree)); err != nil {
		return out, err
	}
	if err := json.Unmarshal(raw, &plain); err != nil {
		return out, fmt.Errorf("an answer without new fields: %w", err)
	}
	return plain, nil
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			if newFields[name] {
				delete(v, name)
			} else {
				v[name] = strip(v[name])
			}
		}
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
	}
	return v
}
