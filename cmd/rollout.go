package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"slipway/artifact"
	"slipway/internal/bounded"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
)

// rolloutOptions are the flags of `slipway rollout`.
type rolloutOptions struct {
	siteOptions
	deploy      deployOptions
	definitions []string
	// goOn and abort answer the lifecycle hooks of deployments under way.
	goOn, abort bool
	// revision is the name or prefix on the command line.
	revision string
}

func newRolloutCommand(w *cli) *cobra.Command {
	var o rolloutOptions
	c := &cobra.Command{
		Use:   "rollout [REVISION]",
		Short: "Deploy the definitions that build wrote, or a revision, and verify it",
		Long: `Registers a new revision of each service's task definition with the images of
imagedefinitions.json, every other field as it was, and deploys it: what CodePipeline's
deploy action does, and what a build by hand does after "slipway build". With REVISION,
the images of that revision are deployed instead.

Where several ECS services are configured, each has a file of its own,
imagedefinitions-<ecs-service>.json. All are deployed at once. A service whose tasks run
the images already is left alone.

A deployment that waits at a PAUSE lifecycle hook is continued with --continue and rolled
back with --abort, from any directory and whoever started it. It is followed to its end.
Only the command that started it moves tags.

latest moves to the images if it does not stand on them; each deployment is followed to
its end and verified, and if one fails, latest and deployed go back to what ran before.`,
		Example: `  slipway build && slipway rollout
  slipway rollout --definitions imagedefinitions.json --cluster shop --ecs-service shop
  slipway rollout 1a2b3c4d5e6f
  slipway rollout --continue --cluster shop --ecs-service shop`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.revision = args[0]
			}
			return runRollout(c.Context(), w, o)
		},
	}
	f := c.Flags()
	o.siteOptions.flags(f)
	o.project.onlyTrusted(f)
	o.deploy.flags(f)
	f.StringSliceVar(&o.definitions, "definitions", nil, "`file` to deploy, or ECS-SERVICE=FILE, repeated for several (default: those that build writes here)")
	f.BoolVar(&o.goOn, "continue", false, "continue deployments that wait at a PAUSE lifecycle hook")
	f.BoolVar(&o.abort, "abort", false, "roll back deployments that wait at a PAUSE lifecycle hook")
	return c
}

func (o rolloutOptions) check() error {
	if o.revision != "" && len(o.definitions) > 0 {
		return fault.New(fault.Usage, errors.New("a revision and --definitions are two answers to one question"), "give one of them")
	}
	if (o.goOn || o.abort) && (o.revision != "" || len(o.definitions) > 0 || o.goOn == o.abort) {
		return fault.New(fault.Usage, errors.New("--continue and --abort exclude each other, a revision and --definitions"), "give one of them, with --cluster and --ecs-service to name services")
	}
	if err := o.siteOptions.check(); err != nil {
		return err
	}
	return o.deploy.check()
}

func runRollout(ctx context.Context, w *cli, o rolloutOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := refuseUntrusted(w, o.project.Trust, "rollout"); err != nil {
		return err
	}
	if o.goOn || o.abort {
		return runContinue(ctx, w, o)
	}
	var files map[ecs.Ref][]artifact.Definition
	s, cloud, err := openSite(ctx, w, o.siteOptions, func(s *site) (err error) {
		if o.revision != "" {
			return nil
		}
		if files, err = o.read(ctx, w, s); err == nil {
			s.only(files)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := s.drivable(ctx, cloud); err != nil {
		return err
	}
	d := &deployJob{cli: w, options: o.deploy, clients: cloud.Registries(), cloud: cloud, site: s, exact: true}
	if err := d.prepare(ctx, o.revision, files); err != nil {
		return err
	}
	if err := s.askServices(ctx, w, o.project.Options, s.services(), false); err != nil {
		return err
	}
	if err := s.askImages(ctx, w, o.project.Options); err != nil {
		return err
	}
	err = d.run(ctx)
	return errors.Join(err, d.print(w.stdout, o.output))
}

// prepare finds the images to deploy: a revision's, or those of definitions files.
func (d *deployJob) prepare(ctx context.Context, revision string, files map[ecs.Ref][]artifact.Definition) error {
	if revision != "" {
		return d.findRevision(ctx, revision)
	}
	return d.wantDefinitions(ctx, files)
}

// read finds the definitions files: those of --definitions, or those that build writes.
func (o rolloutOptions) read(ctx context.Context, w *cli, s *site) (map[ecs.Ref][]artifact.Definition, error) {
	out := map[ecs.Ref][]artifact.Definition{}
	paths, err := o.paths(s)
	if err != nil {
		return nil, err
	}
	read := bounded.ReadGiven
	if len(o.definitions) == 0 {
		read = bounded.ReadFile
	}
	if err := askDefinitionsFiles(ctx, w, o.project.Options, slices.Sorted(maps.Values(paths))); err != nil {
		return nil, err
	}
	for ref, path := range paths {
		defs, err := readDefinitions(ctx, project.Absolute(w.Dir, path), read)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fault.NewInput(path, "there is no such file", "run slipway build, which writes it, name it with --definitions, or name a revision")
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, fault.NewInput(path, err.Error(), "let slipway build write it, or correct it")
		}
		for _, def := range defs {
			if err := checkDefinitionTrusted(path, def.ImageURI); err != nil {
				return nil, err
			}
		}
		out[ref] = defs
	}
	return out, nil
}

// paths says which file is which service's.
func (o rolloutOptions) paths(s *site) (map[ecs.Ref]string, error) {
	out := map[ecs.Ref]string{}
	if len(o.definitions) == 0 {
		for _, st := range s.stations {
			out[st.Ref] = "imagedefinitions.json"
			if len(s.Configured) > 1 || len(s.stations) > 1 {
				out[st.Ref] = "imagedefinitions-" + st.Ref.Service + ".json"
			}
		}
		return out, nil
	}
	for _, d := range o.definitions {
		st, path, err := s.fileOf(d)
		if err != nil {
			return nil, err
		}
		if other, ok := out[st.Ref]; ok {
			return nil, fault.New(fault.Usage, fmt.Errorf("--definitions: %s and %s are both for ECS service %s", other, path, st.Ref), "give one file for each service: --definitions ECS-SERVICE=FILE")
		}
		out[st.Ref] = path
	}
	return out, nil
}

// fileOf reads one --definitions: ECS-SERVICE=FILE, a file named as build names it, or
// any file where there is one service.
func (s *site) fileOf(d string) (*station, string, error) {
	service, path, ok := strings.Cut(d, "=")
	if !ok {
		path = d
		service, _ = strings.CutPrefix(strings.TrimSuffix(filepath.Base(d), ".json"), "imagedefinitions-")
	}
	i := slices.IndexFunc(s.stations, func(st *station) bool { return st.Ref.Service == service })
	if i < 0 && !ok && len(s.stations) == 1 {
		i = 0
	}
	if i >= 0 {
		return s.stations[i], path, nil
	}
	var have []string
	for _, st := range s.stations {
		have = append(have, st.Ref.Service)
	}
	return nil, "", fault.New(fault.Usage, fmt.Errorf("--definitions %s: whose file it is cannot be told; the ECS services are %s", d, strings.Join(have, ", ")), "write --definitions ECS-SERVICE=FILE")
}

// readDefinitions reads a file by read, which says whether it may be a pipe.
func readDefinitions(ctx context.Context, path string, read func(context.Context, string, int64) ([]byte, error)) ([]artifact.Definition, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > artifact.MaxDefinitionsBytes {
		return nil, fmt.Errorf("has %d bytes, more than the %d that CodePipeline takes", info.Size(), artifact.MaxDefinitionsBytes)
	}
	data, err := read(ctx, path, artifact.MaxDefinitionsBytes)
	if err != nil {
		return nil, err
	}
	return artifact.ParseDefinitions(data)
}

// only leaves the stations that have a file, and the containers that are in it.
func (s *site) only(files map[ecs.Ref][]artifact.Definition) {
	s.given = true
	s.stations = slices.DeleteFunc(s.stations, func(st *station) bool { return files[st.Ref] == nil })
	for _, st := range s.stations {
		st.Containers = map[string]registry.Ref{}
		for _, def := range files[st.Ref] {
			// Images of other registries are deployed and not verified.
			st.Containers[def.Name], _ = project.RepositoryOfImage(def.ImageURI)
		}
	}
}

// wantDefinitions wants the images that files name, their digests as ECR has them now.
func (d *deployJob) wantDefinitions(ctx context.Context, files map[ecs.Ref][]artifact.Definition) error {
	names := d.runningNames()
	for _, st := range d.site.stations {
		for _, def := range files[st.Ref] {
			if repo, ok := st.repos[def.Name]; ok {
				names[repo.Ref] = append(names[repo.Ref], project.TagOrDigest(def.ImageURI))
			}
		}
	}
	survey, err := revisions.ReadTags(ctx, d.clients, d.site.repos, nil, names)
	if err != nil {
		return refused(err)
	}
	d.survey, d.wants = survey, map[ecs.Ref]map[string]ecs.DesiredImage{}
	tags := map[string]bool{}
	for _, st := range d.site.stations {
		d.wants[st.Ref] = map[string]ecs.DesiredImage{}
		for _, def := range files[st.Ref] {
			want := ecs.DesiredImage{Image: def.ImageURI}
			if repo, ok := st.repos[def.Name]; ok {
				image, ok := standing(survey, repo.Ref, def.ImageURI)
				if !ok {
					return fault.NewInput("image "+def.ImageURI, "is not in its repository: it was never pushed, or has expired", "slipway revisions lists what is there; slipway build makes it anew")
				}
				want.Digests = revisions.Platforms(image)
				tags[project.TagOrDigest(def.ImageURI)] = true
				if err := d.place(repo, image.Digest); err != nil {
					return err
				}
			}
			d.wants[st.Ref][def.Name] = want
		}
	}
	if err := d.checkTrusted(ctx, tags); err != nil {
		return err
	}
	if len(tags) == 1 {
		for tag := range tags {
			d.name = revisionTag(tag)
		}
	}
	return nil
}

// place lets latest move to an image, once for each repository.
func (d *deployJob) place(repo registry.Repository, digest string) error {
	i := slices.IndexFunc(d.images, func(p revisions.RevisionImage) bool { return p.Repository.Ref == repo.Ref })
	if i < 0 {
		d.images = append(d.images, revisions.RevisionImage{Repository: repo, Digest: digest})
		return nil
	}
	if d.images[i].Digest != digest {
		return fault.NewInput("repository "+repo.Name, "has two different images in the definitions, and one latest", "deploy one revision of it, or give its containers a repository each")
	}
	return nil
}

// revisionTag is the tag, if it is the name of a revision.
func revisionTag(tag string) string {
	if strings.Contains(tag, ":") || registry.IsProtected(tag) {
		return ""
	}
	return tag
}

// standing is the image that a reference stands for now.
func standing(s *revisions.Snapshot, ref registry.Ref, image string) (revisions.Image, bool) {
	name := project.TagOrDigest(image)
	if strings.Contains(name, ":") {
		return s.ByDigest(ref, name)
	}
	return s.ByTag(ref, name)
}
