package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"slipway/artifact"
	"slipway/internal/bounded"
	"slipway/internal/plain"
	"slipway/project"
	"slipway/rollout/ecs"
	"slipway/rollout/task"
	"slipway/rollout/task/diff"
)

// withSettings returns a service with the settings to deploy. A task definition that
// something else wrote is refused if it differs, unless it is adopted.
func (s *Services) withSettings(st *Service) (ecs.Service, error) {
	running := st.State
	if running.New != nil {
		return s.withNewSettings(st)
	}
	if before, ok := s.restore[running.Ref]; ok {
		if before.Definition.ARN == running.Definition.ARN {
			return running, nil
		}
		return running.With(before), nil
	}
	d, ok := s.Settings[running.Ref]
	if !ok {
		return running, nil
	}
	found, err := diff.Compare(d, diff.Running{Fields: running.Definition.Fields, Tags: running.Definition.Tags})
	if err != nil {
		return running, err
	}
	var fields []string
	ours := true
	for _, c := range found.Changes {
		fields = append(fields, c.Where())
		ours = ours && c.Rotated
	}
	switch {
	case len(found.Unknown) > 0:
		return running, s.unknownSettings(running.Ref, d, found.Unknown)
	case !ours && found.Written != diff.Proven && !s.Adopt:
		return running, notAdopted(running, d, found, fields)
	}
	next := running.Definition
	next.Fields, next.Tags = found.Fields, found.Tags
	return running.With(ecs.Settings{Definition: next, Fields: fields}), nil
}

// notAdopted is the error for a task definition that something else wrote.
func notAdopted(s ecs.Service, d task.Definition, found diff.Result, fields []string) error {
	lines := []string{fmt.Sprintf("%s: task definition %s was not written by slipway, and has other settings than the compose file:", s.Ref, s.Definition.Name())}
	if found.Written == diff.Altered {
		lines[0] = fmt.Sprintf("%s: something else has changed the settings of task definition %s since slipway wrote it. They differ from the compose file:", s.Ref, s.Definition.Name())
	}
	for _, field := range fields {
		lines = append(lines, "  "+plain.Text(field))
	}
	keep := diff.Keep(found.Changes)
	for i, service := range d.Services {
		if patterns := keep[d.Input.Containers[i].Name]; len(patterns) > 0 {
			lines = append(lines, plain.Sprintf("services.%s.x-slipway lets variables of others stay with keep: [%s]", service, strings.Join(patterns, ", ")))
		}
	}
	return refuse(NotAdopted, "%s", strings.Join(lines, "\n"))
}

// maxTaskFile bounds a file of task definitions, in bytes: each has at most 64 KiB, and
// there are a few.
const maxTaskFile = 4 << 20

// ReadSettings reads the files of task definitions that build writes next to the
// definitions files, and keeps their one-off tasks in Before. A service without a file
// keeps its settings.
func (s *Services) ReadSettings(ctx context.Context, w *project.Host, o project.Options, named []string, files map[ecs.Ref][]artifact.Definition) (map[ecs.Ref]task.Definition, error) {
	paths, err := s.paths(named)
	if err != nil {
		return nil, err
	}
	for ref, path := range paths {
		if paths[ref] = settingsPath(path); paths[ref] == "" {
			delete(paths, ref)
		}
	}
	if err := permitFiles(ctx, w, o, slices.Sorted(maps.Values(paths))); err != nil {
		return nil, err
	}
	out := map[ecs.Ref]task.Definition{}
	for ref, path := range paths {
		all, err := readSettings(ctx, w, path)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(d task.Definition) bool { return d.Before == "" && project.ServiceRef(d.ECS) == ref })
		if i < 0 {
			continue
		}
		d := all[i]
		if !ofBuild(d, files[ref]) {
			other := &Error{Problem: OtherBuild, Err: fmt.Errorf("%s is left out: its images are not those of the definitions", path)}
			w.WarnError(other, other.Error())
			continue
		}
		out[ref] = d
		if before := BeforeOf([]project.TaskFile{{Definitions: all}})[ref]; len(before) > 0 {
			if s.Before == nil {
				s.Before = map[ecs.Ref][]task.Definition{}
			}
			s.Before[ref] = before
		}
	}
	return out, nil
}

// settingsPath returns the path of the task definitions next to a definitions file;
// empty if the file is not called as build calls it.
func settingsPath(definitions string) string {
	rest, ok := strings.CutPrefix(filepath.Base(definitions), "imagedefinitions")
	if !ok {
		return ""
	}
	return filepath.Join(filepath.Dir(definitions), "taskdefinition"+rest)
}

// readSettings reads the task definitions in a file; none if there is no file.
func readSettings(ctx context.Context, w *project.Host, path string) ([]task.Definition, error) {
	data, err := bounded.ReadFile(ctx, project.Absolute(w.Dir, path), maxTaskFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []task.Definition
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return nil, badInput(BadFile, path, "%s", plain.Text(err.Error()))
	}
	for _, d := range all {
		if len(d.Services) != len(d.Input.Containers) {
			return nil, badInput(BadFile, path, "has %d services and %d containers", len(d.Services), len(d.Input.Containers))
		}
		for _, c := range d.Input.Containers {
			if err := checkDefinitionTrusted(path, c.Image); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// ofBuild reports whether a task definition has the images of the definitions: those that
// the project builds.
func ofBuild(d task.Definition, definitions []artifact.Definition) bool {
	for _, c := range d.Input.Containers {
		i := slices.IndexFunc(definitions, func(def artifact.Definition) bool { return def.Name == c.Name })
		if slices.Contains(d.Built, c.Name) && (i < 0 || definitions[i].ImageURI != c.Image) {
			return false
		}
	}
	return true
}

// Derive derives the settings from the compose file, if it owns them, to compare running
// ones with. It makes no request and reports no warning: build does.
func (s *Services) Derive(ctx context.Context, w *project.Host, o project.Options) error {
	if !s.OwnsTasks {
		return nil
	}
	quiet := *w
	quiet.Events = nil
	definitions, err := project.TaskDefinitions(ctx, &quiet, o)
	s.Derived = SettingsOf([]project.TaskFile{{Definitions: definitions}})
	return err
}

// SettingsOf returns the task definitions of ECS services by service, without those of
// one-off tasks.
func SettingsOf(files []project.TaskFile) map[ecs.Ref]task.Definition {
	out := map[ecs.Ref]task.Definition{}
	for _, f := range files {
		for _, d := range f.Definitions {
			if d.Before == "" {
				out[project.ServiceRef(d.ECS)] = d
			}
		}
	}
	return out
}
