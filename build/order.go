package build

import (
	"cmp"
	"context"
	"os"
	"os/user"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"slipway/build/engine"
	"slipway/build/revision"
	"slipway/internal/phrase"
	"slipway/internal/version"
	"slipway/registry"
	"slipway/registry/migration"
	"slipway/registry/record"
	"slipway/registry/revisions"
)

// revisionRecord returns what the records of the revision say.
func (j *job) revisionRecord() *record.Record {
	info, _ := debug.ReadBuildInfo() // without it, the version is unknown
	r := &record.Record{
		Project: j.plan.Project,
		Commit:  j.commit.ID, Committed: j.commit.Time, Ancestors: j.commit.Ancestors,
		Made: time.Now(), Started: j.started, Source: record.Source(j.plan.Env.SourceRepoURL),
		Builder: cmp.Or(j.plan.Env.BuildID, j.user()), Version: version.Of(info), Engine: j.engine,
	}
	for _, c := range j.components {
		r.Components = append(r.Components, record.Component{Service: c.Target.Service, Repository: c.Repository.Name, Digest: c.Digest})
	}
	return r
}

// user returns who builds, as user@host.
func (j *job) user() string {
	name := cmp.Or(j.Getenv("USER"), j.Getenv("LOGNAME"))
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username
	}
	host, _ := os.Hostname() // a host without a name is left out
	return cmp.Or(name, "unknown") + "@" + cmp.Or(host, "unknown")
}

// yields returns the function that reports whether a revision that another job made
// meanwhile goes before this one, because its commit contains this one's. It is nil
// with --force.
func (j *job) yields(ctx context.Context) func(record.Record) bool {
	if j.options.Force {
		return nil
	}
	return func(other record.Record) bool {
		if other.Commit == "" || j.commit.ID == "" {
			return false
		}
		contains, known := revision.Contains(ctx, j.plan.Root, other.Commit, j.commit.ID)
		return follows(other, j.commit, contains, known, j.started)
	}
}

// follows reports whether the commit of a revision contains another commit. Git says
// so in this job's repository or in that of the other job. Where neither knows both
// commits, the times of the commits decide, and of equal ones those of the jobs.
func follows(other record.Record, own revision.Commit, contains, known bool, started time.Time) bool {
	if known && other.Commit != own.ID {
		return contains
	}
	return other.Follows(own.ID, own.Time, started)
}

// imageOf returns the digest of a component's image in a revision.
func imageOf(r record.Record, c Component) (string, bool) {
	i := slices.IndexFunc(r.Components, func(x record.Component) bool {
		return x.Service == c.Target.Service && x.Repository == c.Repository.Name
	})
	if i < 0 {
		return "", false
	}
	return r.Components[i].Digest, true
}

// removeDead removes the names of expired revisions from images that stay. An error
// changes nothing: the next build tries again.
func (j *job) removeDead(ctx context.Context, published revisions.Published) {
	if j.options.NoLatest {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	j.removeDeployed(ctx, published.Snapshot)
	dead := published.Dead
	if j.fresh() != nil {
		// The names were not known yet when the tags moved.
		names := map[registry.Ref][]string{}
		for _, c := range j.components {
			names[c.Repository.Ref] = c.names
		}
		var err error
		if dead, err = published.FindDead(ctx, j.clients, names); err != nil {
			j.Debugf("the names of expired revisions are not known: %v", err)
		}
	}
	if len(dead) == 0 {
		return
	}
	if err := revisions.RemoveDead(ctx, j.clients, dead); err != nil {
		j.Debugf("names of expired revisions were not removed: %v", err)
		return
	}
	for _, d := range dead {
		j.Debugf("%s: removed the names of expired revisions: %v", d.Repository.Name, d.Names)
	}
}

// removeDeployed removes the tag of an earlier version where another protects its
// image. An error changes nothing: the next build tries again.
func (j *job) removeDeployed(ctx context.Context, s *revisions.Snapshot) {
	var repos []registry.Repository
	for _, c := range j.components {
		repos = append(repos, c.Repository)
	}
	removed, err := migration.RemoveDeployed(ctx, j.clients, s, repos)
	if err != nil {
		j.Debugf("the tag %s of an earlier version was not removed: %v", registry.TagDeployed, err)
	}
	if len(removed) > 0 {
		j.Infof("removed the tag %s of an earlier version from %s: %s protects the image", registry.TagDeployed, phrase.Repositories(len(removed)), registry.TagPrevious)
	}
}

// namesOfEngines returns the kinds and versions of engines, without addresses.
func namesOfEngines(engines []*engine.Engine) string {
	var names []string
	for _, e := range engines {
		names = append(names, strings.TrimSpace(string(e.Kind)+" "+cmp.Or(e.BuildKit, e.Version)))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
