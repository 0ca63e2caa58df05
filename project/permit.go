package project

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/internal/plain"
	"slipway/project/compose"
)

// Places reports which places of a build the operator named, so that those of the
// compose file are not used.
type Places struct{ Engine, Cache, Artifact bool }

// Load reads the compose project. ask, if not nil, notes what the command will do
// for it. What goes beyond the project's own and --allow does not cover is asked on the
// terminal, all at once, and refused elsewhere.
func Load(ctx context.Context, w *Host, o Options, ask func(*types.Project, *allow.Wanted) error) (*types.Project, error) {
	granted, err := o.granted(w)
	if err != nil {
		return nil, err
	}
	for {
		wanted := allow.NewWanted(granted, w.Environ)
		if source := w.Getenv("CODEBUILD_SRC_DIR"); source != "" {
			wanted.Own(source, w.Getenv("HOME")) // a source zip has no .git
		}
		options := o.load(w)
		options.Wanted, options.Home = wanted, w.Getenv("HOME")
		var warnings []string
		options.Warn = func(text string) { warnings = append(warnings, text) }
		project, err := compose.Load(ctx, options)
		if err == nil && ask != nil {
			err = ask(project, wanted)
		}
		if err != nil {
			wanted.Scan(err.Error(), "the compose file")
		}
		missing := wanted.Missing()
		if len(missing) == 0 {
			for _, text := range warnings {
				w.Warnf("%s", text)
			}
			return project, err
		}
		if err := Permit(ctx, w, o, missing); err != nil {
			return nil, err
		}
		granted = granted.With(missing...)
	}
}

// granted reads --allow.
func (o Options) granted(w *Host) (allow.Set, error) {
	set, err := allow.Parse(w.Dir, o.Allow)
	if err != nil {
		return allow.Set{}, fault.New(fault.Usage, fmt.Errorf("%s: %w", o.From.Allow, err), "use one of "+allow.Known())
	}
	return set, nil
}

// Permit asks whether the project may have what it asks for.
func Permit(ctx context.Context, w *Host, o Options, missing []allow.Want) error {
	var lines, flags []string
	for _, m := range missing {
		lines = append(lines, plain.Sprintf("%s wants %s", m.Where, m.String()))
		flags = append(flags, m.Flag())
	}
	remedy := "if you trust the project with this, give " + strings.Join(flags, " ")
	if !w.Interactive() || o.Unasked {
		return fault.New(fault.Usage, fmt.Errorf("the project asks for more than its own: %s", strings.Join(lines, "; ")), remedy)
	}
	yes, err := w.Confirm(ctx, "The project asks for more than its own:\n  "+strings.Join(lines, "\n  ")+"\nAllow this, for this run?")
	if err != nil {
		return err
	}
	if !yes {
		return fault.New(fault.Usage, errors.New("not allowed: nothing was touched"), remedy)
	}
	return nil
}
