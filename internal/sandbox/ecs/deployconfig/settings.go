package deployconfig

import (
	"cmp"
	"encoding/json"
	"slices"

	"slipway/internal/sandbox/awsapi"
)

// Settings are the fields of a deploymentConfiguration that the sandbox acts on.
type Settings struct {
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
	Hooks []Hook `json:"lifecycleHooks"`
	Early struct {
		Enable  bool   `json:"enable"`
		Percent *int   `json:"healthyPercent"`
		Cleanup string `json:"sourceServiceRevisionCleanup"`
	} `json:"earlySuccessCriteria"`
	Alarms struct {
		Enable   bool     `json:"enable"`
		Rollback bool     `json:"rollback"`
		Names    []string `json:"alarmNames"`
	} `json:"alarms"`
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

// Rolling reports whether the strategy is ROLLING, the default.
func (d Settings) Rolling() bool { return d.Strategy == "" || d.Strategy == "ROLLING" }

// Minimum returns the number of healthy tasks that a deployment keeps, "rounded
// up" by the reference of DeploymentConfiguration.
func (d Settings) Minimum(desired int) int {
	return (desired**d.MinimumHealthyPercent + 99) / 100
}

// Maximum returns the number of tasks that a deployment may run, "rounded down"
// by the same reference.
func (d Settings) Maximum(desired int) int { return desired * *d.MaximumPercent / 100 }

// Threshold returns the number of failures that trip the circuit breaker: half
// the desired count, at least 3 and at most 200, unless ThresholdConfiguration
// has another.
func (d Settings) Threshold(desired int) int {
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

// Parse reads a deploymentConfiguration, which may be nil, fills in the defaults
// of the service's scheduling strategy and checks the result. Errors are those
// of the API.
func Parse(raw json.RawMessage, daemon bool) (d Settings, err error) {
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

func (d Settings) check() error {
	switch {
	case *d.MinimumHealthyPercent < 0 || *d.MaximumPercent < 0:
		return invalid("Deployment configuration percentages must not be negative.")
	case *d.MaximumPercent <= *d.MinimumHealthyPercent && d.Rolling():
		return invalid("maximumPercent must be greater than minimumHealthyPercent.")
	case !slices.Contains([]string{"", "ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"}, d.Strategy):
		return invalid("Invalid deployment strategy: %s", d.Strategy)
	}
	if d.Alarms.Enable && len(d.Alarms.Names) == 0 {
		return invalid("At least one alarm name is required.")
	}
	for _, h := range d.Hooks {
		if err := h.check(); err != nil {
			return err
		}
	}
	return d.checkEarly()
}

// checkEarly follows the reference of DeploymentEarlySuccessCriteria.
func (d Settings) checkEarly() error {
	switch early := d.Early; {
	case !early.Enable:
		return nil
	case !d.Rolling():
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

// SucceedsEarly reports whether a rolling deployment succeeds before it is
// complete: when a part of its tasks is healthy and, with BLOCKING, none of the
// previous ones is left.
func (d Settings) SucceedsEarly(healthy, previous, desired int) bool {
	return d.reachesEarly(healthy, desired) && (d.Early.Cleanup == "DEFERRED" || previous == 0)
}

// StopsPrevious reports whether the previous tasks are removed although not all
// new ones are healthy: with BLOCKING, before the deployment succeeds early.
func (d Settings) StopsPrevious(healthy, desired int) bool {
	return d.reachesEarly(healthy, desired) && d.Early.Cleanup == "BLOCKING"
}

func (d Settings) reachesEarly(healthy, desired int) bool {
	return d.Early.Enable && healthy*100 >= desired**d.Early.Percent
}

// invalid returns the error of ECS for a wrong parameter.
func invalid(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterException", format, args...)
}
