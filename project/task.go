package project

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"slipway/build/target"
	"slipway/internal/allow"
	"slipway/internal/awsname"
	"slipway/project/compose"
	"slipway/registry"
	"slipway/rollout/task"
)

// TaskDefinitions reads the project and derives its task definitions, without a request:
// names in capitals stand for the ARNs that only AWS knows, and HASH for the name of a
// build.
func TaskDefinitions(ctx context.Context, w *Host, o Options) ([]task.Definition, error) {
	around := task.Surroundings{
		Region:  cmp.Or(w.Getenv("AWS_REGION"), w.Getenv("AWS_DEFAULT_REGION")),
		Account: w.Getenv("AWS_ACCOUNT_ID"),
	}
	var out []task.Definition
	var warnings []task.Warning
	_, err := Load(ctx, w, o, func(composed *types.Project, wanted *allow.Wanted) error {
		repositories, err := taskRepositories(composed, w)
		if err != nil {
			return err
		}
		refs := map[string]string{}
		for service, ref := range repositories {
			refs[service] = likelyURI(ref.In(around.Account, around.Region)) + ":HASH"
		}
		out, warnings, err = DeriveTasks(ctx, composed, refs, around, wanted)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, warning := range warnings {
		w.Warnf("%s", warning)
	}
	return out, nil
}

// taskRepositories returns the repositories of the services that run images of the
// project.
func taskRepositories(composed *types.Project, w *Host) (map[string]registry.Ref, error) {
	built, err := BuiltServices(composed, w.LookupEnv)
	if err != nil {
		return nil, err
	}
	others, err := target.WithoutBuild(composed)
	if err != nil {
		return nil, err
	}
	out := map[string]registry.Ref{}
	for _, s := range built {
		out[s.Target.Service] = s.Ref
		for _, t := range others {
			if mayShare(t) && runsImageOf(t, s) {
				out[t.Service] = s.Ref
			}
		}
	}
	return out, nil
}

// DeriveTasks derives the task definitions of a project. refs are the images that it
// builds, by service. wanted takes what the project asks for beyond its own.
func DeriveTasks(ctx context.Context, composed *types.Project, refs map[string]string, around task.Surroundings, wanted *allow.Wanted) ([]task.Definition, []task.Warning, error) {
	deployed, err := compose.Deployed(ctx, composed, wanted)
	if err != nil {
		return nil, nil, err
	}
	images := map[string]task.Image{}
	for _, name := range slices.Sorted(maps.Keys(deployed.Services)) {
		s := deployed.Services[name]
		image := task.Image{Ref: refs[name]}
		if s.Build != nil && len(s.Ports)+len(s.Expose) == 0 {
			if image.Exposed, err = target.Exposed(ctx, deployed, name, wanted); err != nil {
				return nil, nil, err
			}
		}
		images[name] = image
	}
	out, warnings, err := task.Derive(deployed, images, around)
	for _, d := range out {
		if err := refuseSecretValues(composed, d); err != nil {
			return nil, nil, err
		}
		if err := scanTask(d, wanted); err != nil {
			return nil, nil, err
		}
	}
	return out, warnings, err
}

// scanTask notes the variables with credentials whose values a definition would hold.
func scanTask(d task.Definition, wanted *allow.Wanted) error {
	for i, c := range d.Input.Containers {
		for _, v := range c.Environment {
			wanted.Scan(v.Value, "services."+d.Services[i]+".environment."+v.Name)
		}
	}
	text, err := task.JSON(d.Input)
	if err == nil {
		wanted.Scan(string(text), "services."+d.Services[0])
	}
	return err
}

// likelyURI returns the URI of a repository, with names in capitals for the account and
// the region that are not known.
func likelyURI(ref registry.Ref) string {
	suffix := "amazonaws.com"
	if p, ok := awsname.PartitionOf(ref.Region); ok {
		suffix = p.DNSSuffix
	}
	return cmp.Or(ref.Account, "ACCOUNT") + ".dkr.ecr." + cmp.Or(ref.Region, "REGION") + "." + suffix + "/" + ref.Name
}
