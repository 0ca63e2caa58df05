package record

import (
	"cmp"
	"slices"
	"time"
)

// Follows reports whether the commit of the record comes after another commit, as far
// as the record says: the other one is among the commits before it. If it is not, the
// later time of the commit decides, and of equal ones that of the job, as given by
// started. It is false where a commit or its time is not known.
func (r Record) Follows(commit string, committed, started time.Time) bool {
	switch {
	case r.Commit == "" || commit == "" || r.Commit == commit:
		return false
	case slices.Contains(r.Ancestors, commit):
		return true
	case r.Committed.IsZero() || committed.IsZero():
		return false
	}
	return cmp.Or(r.Committed.Compare(committed), r.Started.Compare(started)) > 0
}
