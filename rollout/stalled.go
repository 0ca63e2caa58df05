package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"slipway/internal/awsclient"
	"slipway/project"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// recover deploys again what services ran whose deployment has failed without a
// rollback of ECS, or names the command that does. It returns the outcomes, in
// which a service that was rolled back is RolledBack. Tags have been reverted.
func (d *job) recover(ctx context.Context, bad []follow.Outcome) ([]follow.Outcome, error) {
	stalled := d.stalled(bad)
	if len(stalled.List) == 0 || ctx.Err() != nil {
		return bad, nil
	}
	target, err := stalled.findRunning(ctx, d.Host, d.aws)
	if !d.options.RollbackOnFailure || err != nil {
		d.warnStalled(stalled, target)
		return bad, err
	}
	d.Infof("%s: rolling back to %s", stalled.Describe(), target.Revision())
	again := newJob(d.Host, d.aws, Options{Timeout: d.options.Timeout}, stalled, target, d.hooks)
	if err := again.run(ctx); err != nil {
		d.warnStalled(stalled, target)
		return bad, fmt.Errorf("rolling back: %w", err)
	}
	return d.markRolledBack(bad, again.results), nil
}

// stalled returns the services of outcomes that start no tasks until they are
// deployed again.
func (d *job) stalled(bad []follow.Outcome) *Services {
	out := *d.services
	out.List, out.Repositories = nil, nil
	for _, st := range d.services.List {
		if slices.ContainsFunc(bad, func(o follow.Outcome) bool { return o.Stalled && o.Deployment.Service.Ref == st.Ref }) {
			out.List = append(out.List, st)
			for _, repo := range st.Repositories {
				out.addRepository(repo)
			}
		}
	}
	return &out
}

// findRunning returns the images that the services ran when they were read last,
// and reads the services again.
func (s *Services) findRunning(ctx context.Context, host *project.Host, aws *awsclient.Clients) (*Target, error) {
	state := map[ecs.Ref]map[string]string{}
	for _, st := range s.List {
		state[st.Ref] = map[string]string{}
		for _, c := range st.State.Containers {
			state[st.Ref][c.Name] = cmp.Or(st.lastGood[c.Name], c.Digest())
		}
	}
	if err := s.Read(ctx, host, aws); err != nil {
		return nil, err
	}
	return findState(ctx, host, aws, s, []map[ecs.Ref]map[string]string{state})
}

// warnStalled says of each service that it cannot replace a lost task.
func (d *job) warnStalled(s *Services, t *Target) {
	revision := ""
	if t != nil {
		revision = t.Name
	}
	for _, st := range s.List {
		err := StalledError(st.State, revision)
		d.WarnError(err, err.Error())
	}
}

// StalledError returns the warning about a service whose deployment failed and
// was not rolled back. The revision is the one that runs, if it is known.
func StalledError(s ecs.Service, revision string) *Error {
	return &Error{Problem: Stalled, Services: []ecs.Ref{s.Ref}, Revision: cmp.Or(revision, "--previous"), Err: fmt.Errorf(
		"%s: its deployment failed and ECS does not roll it back: ECS replaces no lost task (%d of %d run) until the service is deployed again", s.Ref, s.Running, s.Desired)}
}

// markRolledBack gives the outcomes and results of services that were deployed
// again their new status.
func (d *job) markRolledBack(bad []follow.Outcome, again []Result) []follow.Outcome {
	back := map[ecs.Ref]Result{}
	for _, r := range again {
		back[r.Service] = r
	}
	bad = slices.Clone(bad)
	for i, o := range bad {
		if _, ok := back[o.Deployment.Service.Ref]; ok {
			bad[i].Status = follow.RolledBack
		}
	}
	for i, r := range d.results {
		if b, ok := back[r.Service]; ok {
			d.results[i].Status = string(follow.RolledBack)
			d.results[i].Reason += "; slipway deployed " + cmp.Or(b.Revision, "the images before") + " again (" + b.Deployment + ")"
		}
	}
	return bad
}
