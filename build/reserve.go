package build

import (
	"slipway/artifact"
	"slipway/internal/fault"
)

// reserve takes room for the definitions before anything else is touched: that they
// cannot be written must not come out when the tags have moved.
func (j *job) reserve() error {
	j.pending = map[string]*artifact.Pending{}
	if j.options.NoLatest {
		return nil
	}
	for _, path := range j.plan.Outputs {
		p, err := artifact.Reserve(path, j.plan.RoomFor(path))
		if err != nil {
			j.discard()
			return &Error{Problem: BadDefinitionsDir, Err: err, kind: fault.Usage}
		}
		j.pending[path] = p
	}
	return nil
}

// discard gives up what was reserved and not written.
func (j *job) discard() {
	for _, p := range j.pending {
		if err := p.Discard(); err != nil {
			j.Warnf("a temporary file was left behind: %v", err)
		}
	}
}
