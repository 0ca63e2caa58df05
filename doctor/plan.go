package doctor

import (
	"context"
	"strings"

	"slipway/build"
	"slipway/internal/phrase"
	"slipway/project"
)

// standIn is a hash for a project that has none, so that the rest of it can be checked.
const standIn = "doctor"

// readPlan makes the plan that build would make. Where only the hash is wrong, the plan
// has another one.
func (d *doctor) readPlan(ctx context.Context) {
	o := d.options.Project
	o.Unasked = true
	p, err := project.NewPlan(ctx, d.Host, o)
	if err != nil && o.Hash != standIn {
		o.Hash = standIn
		if q, again := project.NewPlan(ctx, d.Host, o); again == nil {
			p, d.hashErr, err = q, err, nil
		}
	}
	if err != nil {
		d.planErr = err
		p = &project.Plan{ECS: &project.ECS{}}
		d.options.Rollout = false // it would be said to have no ECS service
	} else {
		d.plan = p
		build.LearnSecrets(d.Secrets, p.Targets())
	}
	given := d.options.Build
	if d.build, d.settingsErr = d.options.Resolve(p, given, d.options.Rollout); d.settingsErr != nil {
		// Without those that may be wrong, for the rest of them, the engine above all.
		given.Artifact, given.Cache, d.options.Rollout = "", "", false
		rest := *p
		rest.Settings.Artifact, rest.Settings.Cache = "", ""
		d.build, _ = d.options.Resolve(&rest, given, false) // reported once
	}
}

func (d *doctor) checkProject(context.Context) []Finding {
	if d.planErr != nil {
		return []Finding{broken(d.planErr)}
	}
	out := []Finding{Fine("%s: %s to build", d.plan.Root, phrase.Count(len(d.plan.Targets()), "service")).of(d.plan.Project)}
	for _, warning := range d.plan.Warnings {
		out = append(out, Warned("", "%s", warning).of(d.plan.Project))
	}
	return out
}

func (d *doctor) checkHash(context.Context) []Finding {
	switch {
	case d.plan == nil:
		return []Finding{Unchecked("", "the project cannot be read")}
	case d.hashErr != nil:
		f := broken(d.hashErr)
		f.otherwise = "name the build: slipway build --hash NAME"
		return []Finding{f}
	default:
		return []Finding{Fine("%s", d.plan.Hash.Detail).of(d.plan.Hash.Name)}
	}
}

// checkTrust has nothing to say of a trusted build.
func (d *doctor) checkTrust(context.Context) []Finding {
	if d.plan == nil || !d.plan.Untrusted.Yes() {
		return nil
	}
	u := d.plan.Untrusted
	text := "untrusted build, since " + u.Why + ": no tag that exists moves, and no layer cache is exported"
	if len(u.Ignored) > 0 {
		text += "; ignored: " + strings.Join(u.Ignored, ", ")
	}
	return []Finding{Fine("%s", text).of(d.plan.Hash.Name)}
}

// checkSettings has nothing to say of settings that are right.
func (d *doctor) checkSettings(context.Context) []Finding {
	if d.settingsErr == nil {
		return nil
	}
	return []Finding{broken(d.settingsErr)}
}
