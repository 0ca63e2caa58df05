package codedeploy

import (
	"time"

	"slipway/internal/sandbox/awsapi"
)

// trafficShift is a deployment configuration: it moves a percentage of the
// traffic at once and, after a pause, the rest or as much again. The zero value
// moves all at once.
type trafficShift struct {
	percent, minutes int
	linear           bool
}

// trafficShifts are the predefined deployment configurations for ECS
// ("Deployment configurations on an Amazon ECS compute platform" in the user
// guide).
var trafficShifts = map[string]trafficShift{
	"CodeDeployDefault.ECSAllAtOnce":                    {},
	"CodeDeployDefault.ECSLinear10PercentEvery1Minutes": {10, 1, true},
	"CodeDeployDefault.ECSLinear10PercentEvery3Minutes": {10, 3, true},
	"CodeDeployDefault.ECSCanary10Percent5Minutes":      {10, 5, false},
	"CodeDeployDefault.ECSCanary10Percent15Minutes":     {10, 15, false},
}

func shiftOf(config string) (trafficShift, error) {
	s, ok := trafficShifts[config]
	if !ok {
		return s, awsapi.Errorf("DeploymentConfigDoesNotExistException",
			"No Deployment Configuration found for name: %s", config)
	}
	return s, nil
}

// time returns the time that the traffic takes to move.
func (s trafficShift) time() time.Duration {
	pauses := 1
	if s.linear {
		pauses = 100/s.percent - 1
	}
	return time.Duration(pauses*s.minutes) * time.Minute
}

// routing returns the TrafficRoutingConfig.
func (s trafficShift) routing() map[string]any {
	switch {
	case s.linear:
		return map[string]any{"type": "TimeBasedLinear", "timeBasedLinear": map[string]any{"linearPercentage": s.percent, "linearInterval": s.minutes}}
	case s.percent > 0:
		return map[string]any{"type": "TimeBasedCanary", "timeBasedCanary": map[string]any{"canaryPercentage": s.percent, "canaryInterval": s.minutes}}
	default:
		return map[string]any{"type": "AllAtOnce"}
	}
}

type getDeploymentConfigIn struct {
	DeploymentConfigName string `json:"deploymentConfigName"`
}

type getDeploymentConfigOut struct {
	Info map[string]any `json:"deploymentConfigInfo"`
}

func getDeploymentConfig(_ *region, in getDeploymentConfigIn) (out getDeploymentConfigOut, err error) {
	if in.DeploymentConfigName == "" {
		return out, awsapi.NewError("DeploymentConfigNameRequiredException",
			"Deployment Configuration name is required")
	}
	s, err := shiftOf(in.DeploymentConfigName)
	if err != nil {
		return out, err
	}
	return getDeploymentConfigOut{map[string]any{
		"deploymentConfigName": in.DeploymentConfigName, "computePlatform": "ECS", "trafficRoutingConfig": s.routing(),
	}}, nil
}
