package rollout

import (
	"cmp"
	"context"

	"slipway/internal/allow"
	"slipway/project"
	"slipway/registry"
	"slipway/rollout/ecs"
)

// PermitServices asks before an ECS service is changed that the compose file names and that
// is not the project's own. Services that flags name are the operator's choice. A change
// of the whole service needs a container of the project in it.
func (s *Services) PermitServices(ctx context.Context, w *project.Host, o project.Options, services []ecs.Service, whole bool) error {
	if s.FromFlags {
		return nil
	}
	granted, err := allow.Parse(w.Dir, o.Allow)
	if err != nil {
		return err // read before, with the project
	}
	granted = granted.And(s.Granted)
	wanted := allow.NewWanted(granted, nil)
	own := project.NewOwner(w, s.Name)
	for i, st := range s.List {
		if !st.isOwn(own, granted, services[i], whole) {
			wanted.Add(allow.Want{Kind: allow.ECS, Value: cmp.Or(st.Ref.Cluster, "default") + "/" + st.Ref.Service, Where: "x-slipway.ecs"})
		}
	}
	if missing := wanted.Missing(); len(missing) > 0 {
		return project.Permit(ctx, w, o, missing)
	}
	return nil
}

// States are the services as they were read.
func (s *Services) States() []ecs.Service {
	var out []ecs.Service
	for _, st := range s.List {
		out = append(out, st.State)
	}
	return out
}

// isOwn reports whether an ECS service is the project's own: the project's containers in it
// that run images of ECR have them from repositories that are the project's own or
// allowed. Where they run none, no other container may run another project's either: a
// container's name alone, such as a sidecar's, makes no service the project's. For a
// change of the whole service there must be a container of the project.
func (st *Service) isOwn(own project.Owner, granted allow.Set, service ecs.Service, whole bool) bool {
	if len(service.Containers) == 0 {
		return true // an external controller has given it no task set yet
	}
	found, proven, foreign := !whole, false, false
	for _, c := range service.Containers {
		_, named := st.Containers[c.Name]
		found = found || named
		ref, inECR := project.RepositoryOfImage(c.Image)
		if !inECR {
			continue
		}
		allowed := own.OwnsName(ref.Name) || AllowsRepository(granted, ref)
		if named && !allowed {
			return false
		}
		proven, foreign = proven || named, foreign || !allowed
	}
	return found && (proven || !foreign)
}

// AllowsRepository reports whether a repository is allowed by its name or its ARN.
func AllowsRepository(granted allow.Set, ref registry.Ref) bool {
	for _, name := range []string{ref.Name, allow.RepositoryARN(ref.Account, ref.Region, ref.Name)} {
		if granted.Allows(allow.Want{Kind: allow.Repository, Value: name}) {
			return true
		}
	}
	return false
}
