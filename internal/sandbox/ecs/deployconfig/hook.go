package deployconfig

import (
	"cmp"
	"slices"
	"time"
)

// Hook is a lifecycle hook of a deployment configuration. Only PAUSE hooks have an
// effect: the functions of AWS_LAMBDA hooks count as successful.
type Hook struct {
	TargetType string   `json:"targetType"`
	Stages     []string `json:"lifecycleStages"`
	Timeout    struct {
		Action  string `json:"action"`
		Minutes *int   `json:"timeoutInMinutes"`
	} `json:"timeoutConfiguration"`
}

// Pauses reports whether a deployment waits at a stage for
// ContinueServiceDeployment.
func (h Hook) Pauses(stage string) bool {
	return h.TargetType == "PAUSE" && slices.Contains(h.Stages, stage)
}

// Limit returns the time that ECS waits: 1,440 minutes by default (reference of
// DeploymentLifecycleHookTimeoutConfiguration).
func (h Hook) Limit() time.Duration {
	minutes := 1440
	return time.Duration(*cmp.Or(h.Timeout.Minutes, &minutes)) * time.Minute
}

// check follows the reference of DeploymentLifecycleHook.
func (h Hook) check() error {
	if h.TargetType != "PAUSE" {
		return nil
	}
	if len(h.Stages) == 0 {
		return invalid("A lifecycle hook must have at least one lifecycle stage.")
	}
	for _, stage := range []string{"TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"} {
		if slices.Contains(h.Stages, stage) {
			return invalid("PAUSE hooks cannot be configured at the %s stage.", stage)
		}
	}
	if !slices.Contains([]string{"", "CONTINUE", "ROLLBACK"}, h.Timeout.Action) {
		return invalid("Invalid timeout action: %s", h.Timeout.Action)
	}
	return nil
}
