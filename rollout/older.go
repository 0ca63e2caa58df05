package rollout

import (
	"fmt"

	"slipway/project"
	"slipway/registry"
	"slipway/registry/record"
	"slipway/registry/revisions"
)

// WarnOlder warns of a rollout to a revision that is older than the newest build: a
// revision of a later commit that was made since. A pipeline whose older run ends last
// would otherwise deploy the older revision without a word.
func WarnOlder(host *project.Host, s *Services, t *Target) {
	for _, repo := range s.Repositories {
		own, _, known := t.snapshot.Record(repo.Ref, t.Name)
		newest, ok := newestRecord(t.snapshot, repo.Ref)
		if !ok || !known || newest.Project != own.Project || !newest.Made.After(own.Made) || !newest.Follows(own.Commit, own.Committed, own.Started) {
			continue
		}
		err := &Error{Problem: Older, Services: s.Named(), Revision: newest.Revision, Err: fmt.Errorf(
			"%s is older than the last build: %s of a later commit was made since, and latest goes back from it", t.Name, newest.Revision)}
		host.WarnError(err, err.Error())
		return
	}
}

// newestRecord returns the record of the last build that moved latest.
func newestRecord(s *revisions.Snapshot, ref registry.Ref) (record.Record, bool) {
	at, ok := s.ByTag(ref, registry.TagNewest)
	if !ok {
		return record.Record{}, false
	}
	r, _, err := record.Decode([]byte(at.Manifest))
	return r, err == nil
}
