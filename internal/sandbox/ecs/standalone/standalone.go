// Package standalone has the requests of RunTask: their rules, and the client
// tokens that make them idempotent.
package standalone

import (
	"encoding/json"
	"regexp"
	"strings"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/taglist"
	"slipway/internal/sandbox/ecs/taskdef"
)

// Request is the part of a request of RunTask that the sandbox acts on.
type Request struct {
	Cluster        string `json:"cluster"`
	TaskDefinition string `json:"taskDefinition"`
	LaunchType     string `json:"launchType"`
	Capacity       []struct {
		Provider string `json:"capacityProvider"`
	} `json:"capacityProviderStrategy"`
	Network *struct {
		VPC struct {
			Subnets        []string `json:"subnets"`
			SecurityGroups []string `json:"securityGroups"`
			AssignPublicIP string   `json:"assignPublicIp"`
		} `json:"awsvpcConfiguration"`
	} `json:"networkConfiguration"`
	PlatformVersion string          `json:"platformVersion"`
	PropagateTags   string          `json:"propagateTags"`
	Count           *int            `json:"count"`
	Group           string          `json:"group"`
	StartedBy       string          `json:"startedBy"`
	ClientToken     string          `json:"clientToken"`
	Tags            taglist.List    `json:"tags"`
	Overrides       json.RawMessage `json:"overrides"`

	fields      map[string]json.RawMessage
	fingerprint string
}

// Parse reads a request and applies the rules that need no task definition.
func Parse(fields map[string]json.RawMessage) (Request, error) {
	in := Request{fields: fields}
	if err := awsapi.DecodeFields(fields, &in); err != nil {
		return in, err
	}
	all, err := json.Marshal(fields) // in order of the names
	if err != nil {
		return in, err
	}
	in.fingerprint = string(all)
	return in, in.check()
}

// Settings checks the request for a task definition, and decodes its launch
// settings, whose fields are those of a service.
func (in Request) Settings(d taskdef.Settings, into any) error {
	if err := in.checkNetwork(d); err != nil {
		return err
	}
	return awsapi.DecodeFields(in.fields, into)
}

// Bounds of a request (reference of RunTask).
const (
	maxCount     = 10
	maxStartedBy = 128
	maxToken     = 64
)

var startedByPattern = regexp.MustCompile(`^[a-zA-Z0-9/_-]*$`)

// check applies the rules of RunTask that need no task definition.
func (in Request) check() error {
	switch {
	case in.TaskDefinition == "":
		return parameterError("TaskDefinition can not be blank.")
	case in.LaunchType != "" && len(in.Capacity) > 0:
		return parameterError("The launch type must not be specified with a capacity provider strategy.")
	case in.Tasks() < 1 || in.Tasks() > maxCount:
		return parameterError("Invalid count: must be between 1 and %d.", maxCount)
	case len(in.StartedBy) > maxStartedBy || !startedByPattern.MatchString(in.StartedBy):
		return parameterError("Invalid startedBy: up to %d letters, digits, hyphens, slashes and underscores are allowed.", maxStartedBy)
	case len(in.ClientToken) > maxToken || strings.ContainsFunc(in.ClientToken, func(r rune) bool { return r < 33 || r > 126 }):
		return parameterError("Invalid clientToken: up to %d characters are allowed.", maxToken)
	case strings.HasPrefix(in.Group, "service:"):
		return parameterError("Invalid group: the prefix service: is reserved.")
	case in.PropagateTags == "SERVICE":
		return parameterError("SERVICE is not a valid value of propagateTags for RunTask.")
	case len(in.Overrides) > 0 && !emptyObject(in.Overrides):
		return awsapi.NewError("UnsupportedFeatureException", "the sandbox runs tasks without overrides")
	}
	return in.Tags.Check()
}

func emptyObject(raw json.RawMessage) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(raw, &fields) == nil && len(fields) == 0
}

// checkNetwork applies the rules for a task definition.
func (in Request) checkNetwork(d taskdef.Settings) error {
	switch {
	case d.NetworkMode == "awsvpc" && in.Network == nil:
		return parameterError("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	case d.NetworkMode == "awsvpc" && len(in.Network.VPC.Subnets) == 0:
		return parameterError("subnets can not be empty.")
	case d.NetworkMode != "awsvpc" && in.Network != nil:
		return parameterError("Network Configuration is not valid for the given networkMode of this task definition.")
	}
	return nil
}

// Tasks returns the number of tasks to run.
func (in Request) Tasks() int {
	if in.Count == nil {
		return 1
	}
	return *in.Count
}

// Failure is the reason why a task was not placed.
type Failure struct {
	Arn    string `json:"arn,omitempty"`
	Reason string `json:"reason"`
}

// Place returns the number of tasks that are started, and the failures of the
// others: without capacity none starts. The error is that of a cluster without
// container instances.
func (in Request) Place(fargate, lacksCapacity bool) (int, []Failure, error) {
	failures := []Failure{}
	switch {
	case !lacksCapacity:
		return in.Tasks(), failures, nil
	case !fargate:
		return 0, failures, parameterError("No Container Instances were found in your cluster.")
	}
	for range in.Tasks() {
		failures = append(failures, Failure{Reason: "Capacity is unavailable at this time. Please try again later or in a different availability zone"})
	}
	return 0, failures, nil
}

func parameterError(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("InvalidParameterException", format, args...)
}
