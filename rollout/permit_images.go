package rollout

import (
	"context"
	"maps"
	"path/filepath"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"slipway/internal/allow"
	"slipway/project"
	"slipway/registry"
	"slipway/rollout/ecs"
)

// PermitImages asks before images are deployed from repositories that are not the project's
// own, and latest moves there. The compose file names such a repository, or a definitions
// file does: whoever writes the project's files can write that too. What a container's
// task definition names already needs nothing.
func (s *Services) PermitImages(ctx context.Context, w *project.Host, o project.Options) error {
	granted, err := allow.Parse(w.Dir, o.Allow)
	if err != nil {
		return err // read before, with the project
	}
	wanted := allow.NewWanted(granted, nil)
	for _, st := range s.List {
		own := project.NewOwner(w, s.Name)
		if a, err := arn.Parse(st.State.ARN); err == nil {
			// ECS shows the caller services of its own account.
			own.Accounts = append(own.Accounts, a.AccountID)
		}
		for _, container := range slices.Sorted(maps.Keys(st.Repositories)) {
			if ref := st.Repositories[container].Ref; !st.takes(container, ref) {
				own.Ask(wanted, ref, "the image of container "+container)
			}
		}
	}
	if missing := wanted.Missing(); len(missing) > 0 {
		return project.Permit(ctx, w, o, missing)
	}
	return nil
}

// takes reports whether the task definition takes a container's image from a repository.
func (st *Service) takes(container string, ref registry.Ref) bool {
	return slices.ContainsFunc(st.State.Containers, func(c ecs.Container) bool {
		named, inECR := project.RepositoryOfImage(c.Image)
		return c.Name == container && inECR && project.MayBeSame(named, ref)
	})
}

// permitFiles asks before definitions files are read that are links out of the
// project: the project's files may be such links, and errors would quote their
// content. A file that the operator names is read wherever it lies.
func permitFiles(ctx context.Context, w *project.Host, o project.Options, paths []string) error {
	granted, err := allow.Parse(w.Dir, o.Allow)
	if err != nil {
		return err // read before, with the project
	}
	wanted := allow.NewWanted(granted, nil)
	wanted.Own(w.Dir, w.Getenv("HOME"))
	for _, path := range paths {
		at := project.Absolute(w.Dir, path)
		in := filepath.Dir(at)
		link := filepath.Join(allow.Real(in), filepath.Base(at)) != allow.Real(at)
		if link && allow.Inside(w.Dir, in) {
			wanted.Read(at, path)
		}
	}
	if missing := wanted.Missing(); len(missing) > 0 {
		return project.Permit(ctx, w, o, missing)
	}
	return nil
}
