package cmd

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
	d.options.project.Unasked = true
	p, err := project.NewPlan(ctx, &d.cli.Host, d.options.places(d.cli))
	if err != nil && d.options.project.Hash != standIn {
		other := d.options.places(d.cli)
		other.Hash = standIn
		if q, again := project.NewPlan(ctx, &d.cli.Host, other); again == nil {
			p, d.hashErr, err = q, err, nil
		}
	}
	if err != nil {
		d.planErr = err
		p = &project.Plan{ECS: &project.ECS{}}
		d.options.rollout = false // it would be said to have no ECS service
	} else {
		d.plan = p
		build.LearnSecrets(d.Secrets, p.Targets())
	}
	if d.settingsErr = d.options.fromPlan(d.cli, p); d.settingsErr != nil {
		// Without those that may be wrong, for the rest of them, the engine above all.
		d.options.Artifact, d.options.Cache, d.options.rollout = "", "", false
		p.Settings.Artifact, p.Settings.Cache = "", ""
		_ = d.options.fromPlan(d.cli, p) // told once
	}
}

func (d *doctor) checkProject(context.Context) []finding {
	if d.planErr != nil {
		return []finding{broken(d.planErr)}
	}
	out := []finding{fine("%s: %s to build", d.plan.Root, phrase.Count(len(d.plan.Targets()), "service")).of(d.plan.Project)}
	for _, warning := range d.plan.Warnings {
		out = append(out, warned("", "%s", warning).of(d.plan.Project))
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
		return []finding{fine("%s", d.plan.Hash.Detail).of(d.plan.Hash.Name)}
	}
}

// checkTrust has nothing to say of a trusted build.
func (d *doctor) checkTrust(context.Context) []finding {
	if d.plan == nil || !d.plan.Untrusted.Yes() {
		return nil
	}
	u := d.plan.Untrusted
	text := "untrusted build, since " + u.Why + ": no tag that exists moves, and no layer cache is exported"
	if len(u.Ignored) > 0 {
		text += "; ignored: " + strings.Join(u.Ignored, ", ")
	}
	return []finding{fine("%s", text).of(d.plan.Hash.Name)}
}

// checkSettings has nothing to say of settings that are right.
func (d *doctor) checkSettings(context.Context) []finding {
	if d.settingsErr == nil {
		return nil
	}
	return []finding{broken(d.settingsErr)}
}
