package build

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"slipway/build/inputs"
	"slipway/internal/awsclient"
	"slipway/internal/plain"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
)

// State says what a build would do with a component.
type State string

// The states of a component. All but StateUnchanged are built.
const (
	// StateUnchanged is a component whose image is there, built from the same
	// inputs.
	StateUnchanged State = "unchanged"
	// StateChanged is a component that has an image, but none from the same
	// inputs.
	StateChanged State = "changed"
	// StateNew is a component to whose repository latest was never pushed.
	StateNew State = "new"
	// StateUnknown is a component whose inputs are not known without an engine.
	StateUnknown State = "unknown"
)

// Decision says what a build would do with one component, and why.
type Decision struct {
	Service string
	State   State
	// Since are the names of the revisions that have the image of an unchanged
	// component, sorted; nil where they may not be asked for.
	Since []string
	// Changed are the inputs that differ from those of the image that latest points
	// to, in words; nil where these are not recorded.
	Changed []string
	// Reason is why the component is built, where that is not a change.
	Reason string
	// Resolvable reports that the inputs are unknown because of an image that an
	// engine may resolve.
	Resolvable bool
	// Key names the inputs, and Tag is the image tag for them; empty where they are
	// not known.
	Key, Tag string
}

// String returns the decision in words, such as "unchanged since 1a2b3c4d5e6f".
func (d Decision) String() string {
	switch {
	case d.State == StateUnchanged:
		return "unchanged" + sinceNames(d.Since)
	case d.State == StateNew:
		return "new: " + d.Reason
	case d.State == StateUnknown && d.Resolvable:
		return "built unless the engine can resolve its images: " + d.Reason
	case d.State == StateUnknown:
		return "built each time: " + d.Reason
	case d.Reason != "":
		return "built again: " + d.Reason
	case d.Changed == nil:
		return "changed; the inputs of the image before are not recorded"
	case len(d.Changed) == 0:
		return "changed"
	default:
		return "changed: " + changedNames(d.Changed)
	}
}

// sinceNames returns the words for the revisions that have an unchanged image.
func sinceNames(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return " since " + names[0]
	default:
		return fmt.Sprintf(" since %s and %d more", names[0], len(names)-1)
	}
}

// shownChanges is the number of changes that are named in a line.
const shownChanges = 5

// changedNames returns the words for the changes of inputs.
func changedNames(changes []string) string {
	if more := len(changes) - shownChanges; more > 1 {
		return fmt.Sprintf("%s and %d more", strings.Join(changes[:shownChanges], ", "), more)
	}
	return strings.Join(changes, ", ")
}

// Preview returns what Run would build, by the order of the plan, and writes
// nothing. It asks AWS and the registries what Run asks before it looks for an
// engine, and returns the errors that Run would return by then. A missing
// repository is not an error: its component is new.
func Preview(ctx context.Context, host *project.Host, aws *awsclient.Clients, o Options, p *project.Plan) ([]Decision, error) {
	o.Create = true // nothing is created before an engine is there
	j := newJob(host, aws, o, p)
	j.logUntrusted()
	if _, err := j.find(ctx); err != nil {
		return nil, err
	}
	if err := j.readTags(ctx); err != nil {
		return nil, err
	}
	return j.decisions(ctx)
}

// explain reports, while the build goes on, what it does with each component, and why.
// The function that it returns waits for that; where the build has failed, it ends it.
func (j *job) explain(ctx context.Context) func(succeeded bool) {
	ctx, cancel := context.WithCancel(ctx)
	var told sync.WaitGroup
	told.Go(func() { j.logDecisions(ctx) })
	return func(succeeded bool) {
		if !succeeded {
			cancel()
		}
		told.Wait()
		cancel()
	}
}

// logDecisions reports what the build does with each component, and why. What the
// user asked for, and what was reported before, is left out.
func (j *job) logDecisions(ctx context.Context) {
	decisions, err := j.decisions(ctx)
	if err != nil {
		return // the build has ended
	}
	for _, d := range decisions {
		if d.State == StateChanged && d.Reason != "" {
			continue
		}
		d.Resolvable = false // the engine was asked
		j.Infof("%s: %s", d.Service, d)
	}
}

// decisions returns what the build would do with each component that it is to
// build. Calls: one DescribeImages for each unchanged component, unless the build
// moves no tag, and three for each changed one.
func (j *job) decisions(ctx context.Context) ([]Decision, error) {
	var out []Decision
	var listed []*Component
	for _, c := range j.components {
		if c.Build {
			out, listed = append(out, j.decide(c)), append(listed, c)
		}
	}
	var g errgroup.Group
	g.SetLimit(registry.MaxCalls)
	for i, c := range listed {
		g.Go(func() error {
			switch {
			case c.Unchanged:
				out[i].Since = j.namesOf(ctx, c)
			case out[i].State == StateChanged && out[i].Reason == "":
				out[i].Changed = j.changesOf(ctx, c)
			}
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	return out, ctx.Err()
}

// decide returns what the build would do with a component, without the names of
// revisions.
func (j *job) decide(c *Component) Decision {
	d := Decision{Service: c.Target.Service, State: StateChanged}
	if c.Inputs.Inputs != nil {
		d.Key = c.Inputs.Inputs.Key()
		d.Tag = j.inputsTag(d.Key)
	}
	_, there := j.before.ByTag(c.Repository.Ref, registry.TagLatest)
	var image *inputs.ImageError
	switch {
	case c.Unchanged:
		d.State = StateUnchanged
	case !there:
		d.State, d.Reason = StateNew, "no image yet"
	case c.Inputs.Inputs == nil:
		d.State, d.Reason = StateUnknown, plain.Sprintf("%v", c.Inputs.Unknown)
		if errors.As(c.Inputs.Unknown, &image) {
			d.Resolvable, d.Reason = true, plain.Sprintf("%v", image.Err)
		}
	case c.aged:
		d.Reason = "its image is older than x-slipway.build.max-age"
	case j.options.Rebuild:
		d.Reason = "rebuilding was asked for"
	}
	return d
}

// inputsTag is the tag that the build gives to images with the inputs of a key.
func (j *job) inputsTag(key string) string {
	if j.plan.Untrusted.Yes() {
		return revisions.UntrustedInputsTag(key)
	}
	return revisions.InputsTag(key)
}
