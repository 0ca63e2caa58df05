package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// recover deploys again what services ran whose deployment has failed without a
// rollback of ECS, or names the command that does. It returns the outcomes, in
// which a service that was rolled back is RolledBack. Tags have been reverted.
func (d *job) recover(ctx context.Context, bad []follow.Outcome) ([]follow.Outcome, error) {
	stalled := d.stalled(bad)
	d.warnNew(stalled)
	stalled = stalled.withoutNew()
	if len(stalled.List) == 0 || ctx.Err() != nil {
		return bad, nil
	}
	var errs []error
	for _, r := range stalled.recoveries(ctx, d.Host, d.aws) {
		if !d.options.RollbackOnFailure || r.err != nil {
			d.warnStalled(r)
			errs = append(errs, r.err)
			continue
		}
		d.Infof("%s: rolling back to %s", r.services.Describe(), r.target.Revision())
		again := newJob(d.Host, d.aws, Options{Timeout: d.options.Timeout}, r.services, r.target, d.hooks)
		if err := again.run(ctx); err != nil {
			d.warnStalled(r)
			errs = append(errs, fmt.Errorf("rolling back: %w", err))
			continue
		}
		bad = d.markRolledBack(bad, again.results)
	}
	if !d.options.RollbackOnFailure {
		return bad, nil
	}
	return bad, errors.Join(errs...)
}

// recovery is services and the images that they ran, or why those are not known.
type recovery struct {
	services *Services
	target   *Target
	err      error
}

// recoveries finds the images that the services ran when they were read last:
// one revision for all of them, else one for each.
func (s *Services) recoveries(ctx context.Context, host *project.Host, aws *awsclient.Clients) []recovery {
	ran := s.ran()
	if err := s.restoreSettings(ctx, aws); err != nil {
		return []recovery{{services: s, err: err}}
	}
	s.Before = nil // no migration goes back
	if err := s.Read(ctx, host, aws); err != nil {
		return []recovery{{services: s, err: err}}
	}
	t, err := findState(ctx, host, aws, s, []map[ecs.Ref]map[string]string{ran})
	if err == nil || len(s.List) == 1 {
		return []recovery{{s, t, err}}
	}
	var out []recovery
	for _, st := range s.List {
		one := s.only(st)
		t, err := findState(ctx, host, aws, one, []map[ecs.Ref]map[string]string{ran})
		out = append(out, recovery{one, t, err})
	}
	return out
}

// restoreSettings lets the next decision return services to the task definitions that
// they ran when they were read last, where other settings were deployed since.
func (s *Services) restoreSettings(ctx context.Context, aws *awsclient.Clients) error {
	deployed := s.restore
	s.restore = map[ecs.Ref]ecs.Settings{}
	for _, st := range s.List {
		_, settings := s.Settings[st.Ref]
		if _, returned := deployed[st.Ref]; !settings && !returned {
			continue
		}
		ran, err := st.ranDefinition(ctx, aws)
		if err != nil {
			return fault.As(fault.AWS, err)
		}
		s.restore[st.Ref] = ecs.Settings{Definition: ran, Earlier: true}
	}
	return nil
}

// ranDefinition returns the task definition that a service ran when it was read last. It
// takes up to three calls if the service was to run another one then, which was under way
// or had failed.
func (st *Service) ranDefinition(ctx context.Context, aws *awsclient.Clients) (ecs.Definition, error) {
	ran := st.lastGood.TaskDefinition
	if ran == "" && st.State.Stalled() {
		past, err := ecs.Successful(ctx, aws.ECS(), st.Ref, 1)
		if err != nil && !ecs.HistoryUnavailable(err) {
			return ecs.Definition{}, err
		}
		if len(past) > 0 {
			ran = past[0].TaskDefinition
		}
	}
	if ran == "" || ran == st.State.Definition.ARN {
		return st.State.Definition, nil
	}
	return ecs.ReadDefinition(ctx, aws.ECS(), ran)
}

// ran returns the digests that the services ran when they were read last.
func (s *Services) ran() map[ecs.Ref]map[string]string {
	out := map[ecs.Ref]map[string]string{}
	for _, st := range s.List {
		out[st.Ref] = map[string]string{}
		for _, c := range st.State.Containers {
			out[st.Ref][c.Name] = cmp.Or(st.lastGood.Digests[c.Name], c.Digest())
		}
	}
	return out
}

// stalled returns the services of outcomes that start no tasks until they are
// deployed again.
func (d *job) stalled(bad []follow.Outcome) *Services {
	var list []*Service
	for _, st := range d.services.List {
		if slices.ContainsFunc(bad, func(o follow.Outcome) bool { return o.Stalled && o.Deployment.Service.Ref == st.Ref }) {
			list = append(list, st)
		}
	}
	return d.services.only(list...)
}

// only returns some of the services, with their repositories.
func (s *Services) only(list ...*Service) *Services {
	out := *s
	out.List, out.Repositories = list, nil
	for _, st := range list {
		for _, repo := range st.Repositories {
			out.addRepository(repo)
		}
	}
	return &out
}

// warnStalled says of each service that it cannot replace a lost task.
func (d *job) warnStalled(r recovery) {
	revision := ""
	if r.target != nil {
		revision = r.target.Name
	}
	for _, st := range r.services.List {
		err := StalledError(st.State, revision)
		d.WarnError(err, err.Error())
	}
}

// StalledError returns the warning about a service whose deployment failed and
// was not rolled back. The revision is the one that runs, if it is known.
func StalledError(s ecs.Service, revision string) *Error {
	return &Error{Problem: Stalled, Services: []ecs.Ref{s.Ref}, Revision: revision, Err: fmt.Errorf(
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
