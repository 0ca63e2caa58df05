package cmd

import (
	"context"
	"strings"
)

// standIn is a hash for a project that has none, so that the rest of it can be checked.
const standIn = "doctor"

// readPlan makes the plan that build would make. Where only the hash is wrong, the plan
// has another one.
func (d *doctor) readPlan(ctx context.Context) {
	d.options.project.unasked = true
	p, err := makePlan(ctx, d.cli, d.options.places(d.cli))
	if err != nil && d.options.project.hash != standIn {
		other := d.options.places(d.cli)
		other.hash = standIn
		if q, again := makePlan(ctx, d.cli, other); again == nil {
			p, d.hashErr, err = q, err, nil
		}
	}
	if err != nil {
		d.planErr = err
		p = &plan{site: &site{given: true}}
		d.options.rollout = false // it would be said to have no ECS service
	} else {
		d.plan = p
		d.learn(p.targets())
	}
	if d.settingsErr = d.options.fromPlan(d.cli, p); d.settingsErr != nil {
		// Without those that may be wrong, for the rest of them, the engine above all.
		d.options.artifact, d.options.cache, d.options.rollout = "", "", false
		p.settings.Artifact, p.settings.Cache = "", ""
		_ = d.options.fromPlan(d.cli, p) // told once
	}
}

func (d *doctor) checkProject(context.Context) []finding {
	if d.planErr != nil {
		return []finding{broken(d.planErr)}
	}
	out := []finding{fine("%s: %s to build", d.plan.root, plural(len(d.plan.targets()), "service")).of(d.plan.project)}
	for _, warning := range d.plan.warnings {
		out = append(out, warned("", "%s", warning).of(d.plan.project))
	}
	return out
}

func (d *doctor) checkHash(context.Context) []finding {
	switch {
	case d.plan == nil:
		return []finding{unchecked("", "the project cannot be read")}
	case d.hashErr != nil:
		f := broken(d.hashErr)
		if f.Remedy == "" {
			f.Remedy = "name the build: slipway build --hash NAME"
		}
		return []finding{f}
	default:
		return []finding{fine("%s", d.plan.hash.Detail).of(d.plan.hash.Name)}
	}
}

// checkTrust has nothing to say of a trusted build.
func (d *doctor) checkTrust(context.Context) []finding {
	if d.plan == nil || !d.plan.untrusted.yes() {
		return nil
	}
	u := d.plan.untrusted
	text := "untrusted build, since " + u.why + ": no tag that exists moves, and no layer cache is exported"
	if len(u.ignored) > 0 {
		text += "; ignored: " + strings.Join(u.ignored, ", ")
	}
	return []finding{fine("%s", text).of(d.plan.hash.Name)}
}

// checkSettings has nothing to say of settings that are right.
func (d *doctor) checkSettings(context.Context) []finding {
	if d.settingsErr == nil {
		return nil
	}
	return []finding{broken(d.settingsErr)}
}
