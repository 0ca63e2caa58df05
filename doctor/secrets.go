package doctor

import (
	"context"

	"slipway/internal/fault"
	"slipway/rollout/secret"
	"slipway/rollout/secret/stored"
)

// checkSecrets looks whether AWS has the secrets that the containers read. It reads no
// value.
func (d *doctor) checkSecrets(context.Context) []Finding {
	states, err := d.secretStates()
	if err != nil {
		return []Finding{broken(err)}
	}
	var out []Finding
	for _, s := range states {
		out = append(out, d.secretFinding(s).of(s.Key))
	}
	return out
}

// secretFinding judges one secret. ECS cannot start a task without it, but build can
// run.
func (d *doctor) secretFinding(s stored.State) Finding {
	switch problem := s.Problem(); {
	case stored.Denied(s.Err):
		action := "secretsmanager:DescribeSecret"
		if s.Store == secret.Parameter {
			action = "ssm:GetParameters"
		}
		return Unchecked("allow "+action+" on it", "%s: %v", s.ID, s.Err)
	case s.Err != nil:
		return d.onECS(broken(s.Err))
	case problem != "":
		f := Finding{Status: StatusFailed, Detail: s.ID + " " + problem + ": no task can start with it", Remedy: secretRemedy(s), Kind: fault.Input}
		return d.onECS(f)
	default:
		return Fine("%s exists", s.ID)
	}
}

// secretRemedy returns the remedy for a secret that containers cannot read.
func secretRemedy(s stored.State) string {
	switch {
	case !s.Deleted.IsZero():
		return "aws secretsmanager restore-secret --secret-id " + s.ID
	case !s.External:
		return "slipway secrets push " + s.Key
	case s.ARN != "":
		return "correct the stage or the version in secrets." + s.Key + ".name"
	default:
		return "create it, or correct secrets." + s.Key + ".name"
	}
}
