package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/plain"
	"slipway/project"
	"slipway/rollout/ecs"
	"slipway/rollout/surroundings"
	"slipway/rollout/task"
)

// readWithSurroundings reads the ECS services and, at the same time, the surroundings of
// the settings. They are read once: the settings that were shown are those to deploy.
func (s *Services) readWithSurroundings(ctx context.Context, w *project.Host, c *awsclient.Clients) ([]ecs.Service, error) {
	var services []ecs.Service
	var missing []*ecs.MissingError
	var servicesErr error
	var g errgroup.Group
	g.Go(func() error {
		services, missing, servicesErr = s.readPresent(ctx, c)
		return nil
	})
	err := s.surround(ctx, w, c)
	_ = g.Wait() // servicesErr has its error
	if servicesErr != nil {
		return nil, servicesErr
	}
	if err != nil {
		return nil, err
	}
	return services, s.addMissing(ctx, c, services, missing)
}

// surround reads the surroundings of the settings.
func (s *Services) surround(ctx context.Context, w *project.Host, c *awsclient.Clients) error {
	if s.Around != nil || len(s.Settings)+len(s.Before) == 0 {
		return nil
	}
	refs := slices.SortedFunc(maps.Keys(s.Settings), func(a, b ecs.Ref) int { return strings.Compare(a.String(), b.String()) })
	var definitions []task.Definition
	for _, ref := range refs {
		definitions = append(definitions, s.Settings[ref])
	}
	oneOff := slices.SortedFunc(maps.Keys(s.Before), func(a, b ecs.Ref) int { return strings.Compare(a.String(), b.String()) })
	for _, ref := range oneOff {
		definitions = append(definitions, s.Before[ref]...)
	}
	around, err := surroundings.Read(ctx, c, definitions)
	if err != nil {
		return err
	}
	WarnDenied(w, around.Denied)
	s.Around, s.Settings = &around, map[ecs.Ref]task.Definition{}
	for i, ref := range refs {
		s.Settings[ref] = around.Definitions[i]
	}
	filled := around.Definitions[len(refs):]
	for _, ref := range oneOff {
		n := len(s.Before[ref])
		s.Before[ref], filled = filled[:n], filled[n:]
	}
	return nil
}

// WarnDenied warns of surroundings that the caller may not read, if there are any.
func WarnDenied(w *project.Host, denied []surroundings.Denied) {
	if len(denied) == 0 {
		return
	}
	err := &Error{Problem: Unreadable, Err: fmt.Errorf(
		"the values of the running task definition stay, and new versions of secrets are not noticed: the caller may not call %s", names(denied))}
	w.WarnError(err, err.Error())
}

// names returns the requests with their resources.
func names(denied []surroundings.Denied) string {
	var out []string
	for _, d := range denied {
		out = append(out, d.String())
	}
	return plain.Text(strings.Join(out, ", "))
}

// unknownSettings is the error for values that only the stack or Secrets Manager knows.
func (s *Services) unknownSettings(ref ecs.Ref, d task.Definition, unknown []task.Place) error {
	var lines []string
	for _, p := range unknown {
		switch {
		case p.From != "" && p.Field == "environment":
			lines = append(lines, fmt.Sprintf("%s (output %s of stack %s)", p, p.From, d.Stack))
		case p.From != "":
			lines = append(lines, fmt.Sprintf("%s (secret %s)", p, p.From))
		default:
			lines = append(lines, p.String())
		}
	}
	const text = "%s: these values are neither in the build nor in the running task definition: %s"
	list := plain.Text(strings.Join(lines, ", "))
	if s.Around != nil && len(s.Around.Denied) > 0 {
		return &Error{Problem: Unreadable, Err: fmt.Errorf(text+": the caller may not call %s", ref, list, names(s.Around.Denied)), kind: fault.AWS}
	}
	return refuse(UnknownSettings, text, ref, list)
}
