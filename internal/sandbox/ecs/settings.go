package ecs

import (
	"cmp"
	"encoding/json"
	"slices"

	"slipway/internal/sandbox/awsapi"
)

// deploymentSettings are the fields of a deploymentConfiguration that the
// sandbox acts on.
type deploymentSettings struct {
	MaximumPercent        *int   `json:"maximumPercent"`
	MinimumHealthyPercent *int   `json:"minimumHealthyPercent"`
	Strategy              string `json:"strategy"`
	BakeTimeInMinutes     int    `json:"bakeTimeInMinutes"`
	Canary                struct {
		Percent  float64 `json:"canaryPercent"`
		BakeTime int     `json:"canaryBakeTimeInMinutes"`
	} `json:"canaryConfiguration"`
	Linear struct {
		Percent  float64 `json:"stepPercent"`
		BakeTime int     `json:"stepBakeTimeInMinutes"`
	} `json:"linearConfiguration"`
	Hooks []lifecycleHook `json:"lifecycleHooks"`
	Early struct {
		Enable  bool   `json:"enable"`
		Percent *int   `json:"healthyPercent"`
		Cleanup string `json:"sourceServiceRevisionCleanup"`
	} `json:"earlySuccessCriteria"`
	Breaker struct {
		Enable    bool  `json:"enable"`
		Rollback  bool  `json:"rollback"`
		Reset     *bool `json:"resetOnHealthyTask"`
		Threshold *struct {
			Type  string `json:"type"`
			Value int    `json:"value"`
		} `json:"thresholdConfiguration"`
	} `json:"deploymentCircuitBreaker"`
}

func (d deploymentSettings) rolling() bool { return d.Strategy == "" || d.Strategy == "ROLLING" }

// minimum and maximum are counts of tasks: "rounded up" and "rounded down" by
// the reference of DeploymentConfiguration.
func (d deploymentSettings) minimum(desired int) int {
	return (desired**d.MinimumHealthyPercent + 99) / 100
}

func (d deploymentSettings) maximum(desired int) int { return desired * *d.MaximumPercent / 100 }

// threshold returns the number of failures that trip the circuit breaker: half
// the desired count, at least 3 and at most 200, unless ThresholdConfiguration
// has another.
func (d deploymentSettings) threshold(desired int) int {
	if t := d.Breaker.Threshold; t != nil {
		percent := max(1, (desired*t.Value+99)/100)
		switch t.Type {
		case "COUNT":
			return t.Value
		case "UNBOUNDED_PERCENT":
			return percent
		default:
			return min(max(percent, 3), 200)
		}
	}
	return min(max((desired+1)/2, 3), 200)
}

func parseDeploymentSettings(raw json.RawMessage, daemon bool) (d deploymentSettings, err error) {
	if raw != nil {
		if err := json.Unmarshal(raw, &d); err != nil {
			return d, awsapi.NewError("SerializationException", err.Error())
		}
	}
	minimum, maximum := 100, 200
	if daemon {
		minimum, maximum = 0, 100
	}
	d.MinimumHealthyPercent = cmp.Or(d.MinimumHealthyPercent, &minimum)
	d.MaximumPercent = cmp.Or(d.MaximumPercent, &maximum)
	return d, d.check()
}

func (d deploymentSettings) check() error {
	switch {
	case *d.MinimumHealthyPercent < 0 || *d.MaximumPercent < 0:
		return invalid("Deployment configuration percentages must not be negative.")
	case *d.MaximumPercent <= *d.MinimumHealthyPercent && d.rolling():
		return invalid("maximumPercent must be greater than minimumHealthyPercent.")
	case !slices.Contains([]string{"", "ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"}, d.Strategy):
		return invalid("Invalid deployment strategy: %s", d.Strategy)
	}
	for _, h := range d.Hooks {
		if err := h.check(); err != nil {
			return err
		}
	}
	return d.checkEarly()
}

// checkEarly follows the reference of DeploymentEarlySuccessCriteria.
func (d deploymentSettings) checkEarly() error {
	switch early := d.Early; {
	case !early.Enable:
		return nil
	case !d.rolling():
		return invalid("earlySuccessCriteria is only supported for the ROLLING deployment strategy.")
	case early.Percent == nil || early.Cleanup == "":
		return invalid("earlySuccessCriteria must specify healthyPercent and sourceServiceRevisionCleanup.")
	case *early.Percent < *d.MinimumHealthyPercent || *early.Percent > 100:
		return invalid("healthyPercent must be between minimumHealthyPercent and 100.")
	case early.Cleanup != "BLOCKING" && early.Cleanup != "DEFERRED":
		return invalid("Invalid sourceServiceRevisionCleanup: %s", early.Cleanup)
	}
	return nil
}

// succeedsEarly reports whether a rolling deployment succeeds before it is
// complete: when a part of its tasks is healthy and, with BLOCKING, none of the
// previous ones is left.
func (d deploymentSettings) succeedsEarly(healthy, previous, desired int) bool {
	return d.Early.Enable && healthy*100 >= desired**d.Early.Percent &&
		(d.Early.Cleanup == "DEFERRED" || previous == 0)
}

func invalid(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterException", format, args...)
}
