package target

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/allow"
)

// Exposed returns the ports that EXPOSE declares in the Dockerfile of a service, such
// as 8080/tcp, sorted. It does not know the ports of a base image, nor those of a
// Dockerfile that only an engine can read. It makes no request. wanted takes the files
// that lie outside the project. Errors are *fault.InputError.
func Exposed(ctx context.Context, p *types.Project, service string, wanted *allow.Wanted) ([]string, error) {
	t := translator{project: p, wanted: wanted}
	var ok bool
	if t.service, t.inactive, ok = lookupService(p, service); !ok || t.service.Build == nil {
		return nil, nil
	}
	out := Target{Service: service}
	for _, step := range []func(*Target) error{t.contexts, t.plain, t.platforms} {
		if err := step(&out); err != nil {
			return nil, err
		}
	}
	if out.DockerfileInline == "" && (out.Context.Dir == "" || !t.mayRead(out.Dockerfile, "dockerfile")) {
		return nil, nil
	}
	ports, err := out.exposed(ctx)
	if errors.Is(err, ErrUnreadable) {
		return nil, nil
	}
	return ports, err
}

// exposed reads EXPOSE as the frontend does: with variables, in the stage to build and
// in those that it starts from.
func (t Target) exposed(ctx context.Context) ([]string, error) {
	text, name, err := t.dockerfileText(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.checkGrowth(text, name); err != nil {
		return nil, err
	}
	result, err := t.resolve(ctx, text, t.platforms()[0], &recorder{})
	if err != nil {
		return nil, t.unresolved(text, name, err)
	}
	return slices.Sorted(maps.Keys(result.Image.Config.ExposedPorts)), nil
}
