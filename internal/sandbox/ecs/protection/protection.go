// Package protection has the rules of requests about task scale-in protection.
package protection

import (
	"time"

	"slipway/internal/sandbox/awsapi"
)

// Bounds of task scale-in protection (reference of UpdateTaskProtection and
// GetTaskProtection): the tasks that a request changes or looks at, and minutes.
const (
	Changes = 10
	Looks   = 100

	usual   = 120
	longest = 2880
)

// Request is a request of UpdateTaskProtection or GetTaskProtection.
type Request struct {
	Cluster           string   `json:"cluster"`
	Tasks             []string `json:"tasks"`
	ProtectionEnabled *bool    `json:"protectionEnabled"`
	ExpiresInMinutes  *int     `json:"expiresInMinutes"`
}

// Check applies the rules of both actions, of which one takes at most so many
// tasks.
func (in Request) Check(most int) error {
	switch {
	case in.Cluster == "":
		return parameterError("Cluster cannot be empty.")
	case len(in.Tasks) == 0:
		return parameterError("Tasks cannot be empty.")
	case len(in.Tasks) > most:
		return parameterError("Tasks cannot have more than %d entries.", most)
	}
	return nil
}

// Lasts returns how long a change protects tasks, 0 if it ends their protection.
func (in Request) Lasts() (time.Duration, error) {
	minutes := usual
	if in.ExpiresInMinutes != nil {
		minutes = *in.ExpiresInMinutes
	}
	switch {
	case in.ProtectionEnabled == nil:
		return 0, parameterError("protectionEnabled is required.")
	case minutes < 1 || minutes > longest:
		return 0, parameterError("expiresInMinutes must be between 1 and %d.", longest)
	case !*in.ProtectionEnabled:
		return 0, nil
	}
	return time.Duration(minutes) * time.Minute, nil
}

func parameterError(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("InvalidParameterException", format, args...)
}
