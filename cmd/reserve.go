package cmd

import (
	"slices"

	"slipway/artifact"
	"slipway/internal/fault"
)

// maxEntry bounds what a definitions file says of one service besides the names of its
// container and its repository, in bytes: the registry's host and a tag or digest.
const maxEntry = 512

// reserve takes room for the definitions before anything else is touched: that they
// cannot be written must not come out when the tags have moved.
func (j *job) reserve() error {
	j.pending = map[string]*artifact.Pending{}
	if j.options.noLatest {
		return nil
	}
	for _, path := range j.plan.own {
		p, err := artifact.Reserve(path, j.plan.roomFor(path))
		if err != nil {
			j.discard()
			return fault.New(fault.Usage, err, "make the directory writable, or name another one with --definitions-dir")
		}
		j.pending[path] = p
	}
	return nil
}

// roomFor is the most that the file at path can take.
func (p *plan) roomFor(path string) int {
	room := maxEntry
	for _, f := range p.files {
		if f.path != path {
			continue
		}
		for _, s := range p.services {
			if slices.Contains(f.services, s.target.Service) {
				room += len(s.target.Container) + len(s.repo.Name) + maxEntry
			}
		}
	}
	return room
}

// discard gives up what was reserved and not written.
func (j *job) discard() {
	for _, p := range j.pending {
		if err := p.Discard(); err != nil {
			j.Warnf("a temporary file was left behind: %v", err)
		}
	}
}
