// Package plain is an ECS without its newest fields, as where an account or a
// region lacks them.
package plain

import (
	"encoding/json"

	"slipway/internal/sandbox/awsapi"
)

// newFields are the fields of answers that ECS has since the end of 2024, about
// service deployments, strategies, hooks and Express Mode.
var newFields = map[string]bool{
	"currentServiceDeployment": true, "currentServiceRevisions": true, "lifecycleStage": true, "lifecycleHookDetails": true,
	"lifecycleHooks": true, "strategy": true, "bakeTimeInMinutes": true, "canaryConfiguration": true, "linearConfiguration": true,
	"earlySuccessCriteria": true, "resetOnHealthyTask": true, "thresholdConfiguration": true, "resourceManagementType": true,
	"availabilityZoneRebalancing": true, "requestedProductionTrafficWeight": true, "requestedTestTrafficWeight": true,
}

// When returns an action whose answers lack the new fields while on reports
// true.
func When(on func() bool, action awsapi.Action) awsapi.Action {
	return func(c awsapi.Call, body []byte) (any, error) {
		out, err := action(c, body)
		if err != nil || !on() {
			return out, err
		}
		raw, err := json.Marshal(out)
		if err != nil {
			return nil, err
		}
		var tree any
		if err := json.Unmarshal(raw, &tree); err != nil {
			return nil, err
		}
		return strip(tree), nil
	}
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
