package doctor

import (
	"context"

	"slipway/internal/fault"
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
		return Unchecked("allow "+s.Action()+" on it", "%s: %v", s.ID, s.Err)
	case s.Err != nil:
		return d.onECS(broken(s.Err))
	case problem != "":
		f := Finding{Status: StatusFailed, Detail: s.ID + " " + problem + ": no task can start with it", Remedy: s.Remedy(), Kind: fault.Input}
		return d.onECS(f)
	default:
		return Fine("%s exists", s.ID)
	}
}
