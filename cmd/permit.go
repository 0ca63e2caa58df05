package cmd

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

// placesGiven reports which places of a build the operator named, so that those of the
// compose file are not used.
type placesGiven struct{ engine, cache, artifact bool }

// places returns the project's options together with the places that the flags and the
// environment name.
func (o buildOptions) places(w *world) projectOptions {
	p := o.project
	p.given = placesGiven{engine: o.engine != "" || w.getenv("BUILDKIT_HOST") != "", cache: o.cache != "", artifact: o.artifact != ""}
	return p
}

// loadAllowed reads the compose project. ask, if not nil, notes what the command will do
// for it. What goes beyond the project's own and --allow does not cover is asked on the
// terminal, all at once, and refused elsewhere.
func loadAllowed(ctx context.Context, w *world, o projectOptions, ask func(*types.Project, *allow.Wanted) error) (*types.Project, error) {
	granted, err := allow.Parse(w.dir, o.allow)
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("--allow: %w", err), "use one of "+allow.Known())
	}
	for {
		wanted := allow.NewWanted(granted, w.environ)
		if source := w.getenv("CODEBUILD_SRC_DIR"); source != "" {
			wanted.Own(source, w.getenv("HOME")) // a source zip has no .git
		}
		options := o.load(w)
		options.Wanted, options.Home = wanted, w.getenv("HOME")
		project, err := compose.Load(ctx, options)
		if err == nil && ask != nil {
			err = ask(project, wanted)
		}
		if err != nil {
			wanted.Scan(err.Error(), "the compose file")
		}
		missing := wanted.Missing()
		if len(missing) == 0 {
			return project, err
		}
		if err := w.permit(ctx, o, missing); err != nil {
			return nil, err
		}
		granted = granted.With(missing...)
	}
}

// permit asks whether the project may have what it asks for.
func (w *world) permit(ctx context.Context, o projectOptions, missing []allow.Want) error {
	var lines, flags []string
	for _, m := range missing {
		lines = append(lines, plain.Sprintf("%s wants %s", m.Where, m.String()))
		flags = append(flags, m.Flag())
	}
	remedy := "if you trust the project with this, give " + strings.Join(flags, " ")
	if !w.interactive() || o.unasked {
		return fault.New(fault.Usage, fmt.Errorf("the project asks for more than its own: %s", strings.Join(lines, "; ")), remedy)
	}
	yes, err := w.confirm(ctx, "The project asks for more than its own:\n  "+strings.Join(lines, "\n  ")+"\nAllow this, for this run?")
	if err != nil {
		return err
	}
	if !yes {
		return fault.New(fault.Usage, errors.New("not allowed: nothing was touched"), remedy)
	}
	return nil
}
