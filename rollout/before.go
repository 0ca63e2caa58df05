package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
	"slipway/rollout/oneoff"
	"slipway/rollout/task"
)

// BeforeOf returns the one-off tasks of ECS services, in the order in which they run.
func BeforeOf(files []project.TaskFile) map[ecs.Ref][]task.Definition {
	out := map[ecs.Ref][]task.Definition{}
	for _, f := range files {
		for _, d := range f.Definitions {
			if d.Before != "" {
				ref := project.ServiceRef(d.ECS)
				out[ref] = append(out[ref], d)
			}
		}
	}
	return out
}

// RunBefore runs the one-off tasks of the services that the target changes, before a
// build moves tags, and before Run. The services have been read.
//
// Errors: those of Decide and of the tests that images must pass; a *BeforeError for a
// task that did not succeed; a *fault.InterruptedError.
func RunBefore(ctx context.Context, host *project.Host, aws *awsclient.Clients, o Options, s *Services, t *Target, h Hooks) error {
	d := newJob(host, aws, o, s, t, h)
	changes, err := Decide(s, t, true)
	if err != nil {
		return err
	}
	if err := d.checkBusy(ctx, changes); err != nil {
		return err
	}
	if err := d.admit(ctx, changes); err != nil {
		return err
	}
	_, err = d.runBefore(ctx, changes)
	return err
}

// before runs the one-off tasks and returns the changes, which are decided again if time
// has passed.
func (d *job) before(ctx context.Context, changes []ecs.Change) ([]ecs.Change, error) {
	ran, err := d.runBefore(ctx, changes)
	if err != nil || !ran {
		return changes, err
	}
	d.asked = true
	return d.decideAgain(ctx, changes)
}

// runBefore runs the one-off tasks of the services that change, one after the other, and
// notes how they ended. It reports whether it ran any: that takes its time.
func (d *job) runBefore(ctx context.Context, changes []ecs.Change) (bool, error) {
	ran := false
	for _, c := range changes {
		ref := c.Service.Ref
		if _, done := d.services.oneOff[ref]; done || c.Action == ecs.Leave {
			continue
		}
		for _, definition := range d.services.Before[ref] {
			out, err := d.runOneOff(ctx, c, definition)
			d.services.note(ref, out)
			if err != nil {
				d.addBlocked(c, out)
				return ran, d.beforeError(ref, out, err)
			}
			ran = ran || out.Status != oneoff.Earlier
		}
	}
	return ran, nil
}

// runOneOff runs a one-off task before the change of a service.
func (d *job) runOneOff(ctx context.Context, c ecs.Change, definition task.Definition) (oneoff.Outcome, error) {
	running := c.Service.Definition.Fields
	if c.Service.Settings != nil {
		running = c.Service.Settings.Definition.Fields
	}
	launch, err := c.Service.Launch()
	if err != nil {
		return oneoff.Outcome{Service: definition.Before, Status: oneoff.Failed, Reason: err.Error()}, err
	}
	runner := oneoff.Runner{ECS: d.aws.ECS(), Logs: d.aws.Logs(), Host: d.Host, Timeout: d.options.BeforeTimeout}
	return runner.Run(ctx, oneoff.Task{
		Definition: definition, Service: c.Service.Ref, Running: running,
		Launch: launch, Deploys: deployedBy(c),
	})
}

// deployedBy returns the images that a change deploys, in a form that is the same for
// equal images.
func deployedBy(c ecs.Change) []string {
	var out []string
	for _, container := range slices.Sorted(maps.Keys(c.Wants)) {
		want := c.Wants[container]
		image := want.Image
		if len(want.Digests) > 0 {
			image = want.Digests[0]
		}
		out = append(out, container+"="+image)
	}
	return out
}

// note keeps how a one-off task ended.
func (s *Services) note(ref ecs.Ref, out oneoff.Outcome) {
	if s.oneOff == nil {
		s.oneOff = map[ecs.Ref][]oneoff.Outcome{}
	}
	s.oneOff[ref] = append(s.oneOff[ref], out)
}

// addBlocked notes a service that is not deployed because of a one-off task.
func (d *job) addBlocked(c ecs.Change, out oneoff.Outcome) {
	row := d.row(c.Service, d.target.Desired[c.Service.Ref])
	row.Status = "not deployed"
	row.Reason = fmt.Sprintf("one-off task %s %s: %s", out.Service, out.Status, out.Reason)
	d.results = append(d.results, row)
}

// BeforeError is a one-off task without whose success nothing is deployed.
type BeforeError struct {
	Service ecs.Ref
	Err     error
}

// Error says that nothing was touched.
func (e *BeforeError) Error() string {
	return fmt.Sprintf("%v\n%s: nothing was deployed, and no tag was moved", e.Err, e.Service)
}

// Unwrap returns the error of the task.
func (e *BeforeError) Unwrap() error { return e.Err }

// beforeError reports the diagnosis of a task that did not succeed, and returns its error.
func (d *job) beforeError(ref ecs.Ref, out oneoff.Outcome, err error) error {
	var interrupted *fault.InterruptedError
	if errors.As(err, &interrupted) {
		return err
	}
	if out.Diagnosis != nil {
		d.Errorf("%s: one-off task %s %s: %s", ref, out.Service, out.Status, out.Reason)
		d.hooks.Diagnosis(ref, *out.Diagnosis)
	}
	if awsclient.KindOf(err) == fault.Other {
		err = fault.As(fault.AWS, err)
	}
	return &BeforeError{ref, err}
}

// namesOf returns the services of one-off tasks, in their order.
func namesOf(definitions []task.Definition) string {
	var out []string
	for _, d := range definitions {
		out = append(out, d.Before)
	}
	return strings.Join(out, ", ")
}

// PinBefore replaces the references of the images that the project builds, in the
// definitions of one-off tasks, by their digests.
func (s *Services) PinBefore(ctx context.Context, aws *awsclient.Clients) error {
	refs, names := s.imagesBefore()
	if len(refs) == 0 {
		return nil
	}
	found, missing, err := registry.Find(ctx, aws.Registries(), refs)
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	if len(missing) > 0 {
		return &registry.MissingError{Refs: missing}
	}
	repos, extra := []registry.Repository{}, map[registry.Ref][]string{}
	for _, ref := range refs {
		repos = append(repos, found[ref])
		extra[found[ref].Ref] = names[ref]
	}
	tags, err := revisions.ReadTags(ctx, aws.Registries(), repos, nil, extra)
	if err != nil {
		return fault.As(fault.AWS, err)
	}
	return s.pinBefore(tags, found)
}

// pinBefore is PinBefore with the images and the repositories that were found.
func (s *Services) pinBefore(tags *revisions.Snapshot, found map[registry.Ref]registry.Repository) error {
	pinned := map[string]string{}
	for _, definitions := range s.Before {
		for _, d := range definitions {
			for i, c := range d.Input.Containers {
				ref, ok := project.RepositoryOfImage(c.Image)
				if !ok || !builds(d, i) {
					continue
				}
				image, ok := imageOf(tags, found[ref].Ref, c.Image)
				if !ok {
					return badInput(NoImage, "image "+c.Image, "is not in its repository: it was never pushed, or has expired")
				}
				pinned[d.Services[i]] = found[ref].URI.Name() + "@" + image.Digest
			}
		}
	}
	s.SetImagesBefore(func(service string) (string, bool) {
		image, ok := pinned[service]
		return image, ok
	})
	return nil
}

// imagesBefore returns the repositories of the images that the project builds for one-off
// tasks, each once, and the tags or digests that are asked for.
func (s *Services) imagesBefore() ([]registry.Ref, map[registry.Ref][]string) {
	var refs []registry.Ref
	names := map[registry.Ref][]string{}
	for _, service := range slices.SortedFunc(maps.Keys(s.Before), func(a, b ecs.Ref) int { return strings.Compare(a.String(), b.String()) }) {
		for _, d := range s.Before[service] {
			for i, c := range d.Input.Containers {
				ref, ok := project.RepositoryOfImage(c.Image)
				if !ok || !builds(d, i) {
					continue
				}
				if names[ref] == nil {
					refs = append(refs, ref)
				}
				names[ref] = append(names[ref], project.TagOrDigest(c.Image))
			}
		}
	}
	return refs, names
}

// builds reports whether the project builds the image of a container.
func builds(d task.Definition, container int) bool {
	return slices.Contains(d.Built, d.Input.Containers[container].Name)
}

// SetImagesBefore sets the images in the definitions of one-off tasks. image returns that
// of a service, and false for one that stays.
func (s *Services) SetImagesBefore(image func(service string) (string, bool)) {
	out := map[ecs.Ref][]task.Definition{}
	for ref, definitions := range s.Before {
		for _, d := range definitions {
			d.Input.Containers = slices.Clone(d.Input.Containers)
			for i, service := range d.Services {
				if text, ok := image(service); ok {
					d.Input.Containers[i].Image = text
				}
			}
			out[ref] = append(out[ref], d)
		}
	}
	s.Before = out
}
