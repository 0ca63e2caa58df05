package rollout

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

	"slipway/artifact"
	"slipway/internal/awsclient"
	"slipway/internal/bounded"
	"slipway/internal/fault"
	"slipway/internal/plain"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
)

// ReadFiles finds the definitions files: those of --definitions, or those that build writes.
func (s *Services) ReadFiles(ctx context.Context, w *project.Host, o project.Options, named []string) (map[ecs.Ref][]artifact.Definition, error) {
	out := map[ecs.Ref][]artifact.Definition{}
	paths, err := s.paths(named)
	if err != nil {
		return nil, err
	}
	read := bounded.ReadGiven
	if len(named) == 0 {
		read = bounded.ReadFile
	}
	if err := permitFiles(ctx, w, o, slices.Sorted(maps.Values(paths))); err != nil {
		return nil, err
	}
	for ref, path := range paths {
		defs, err := readDefinitions(ctx, project.Absolute(w.Dir, path), read)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, badInput(NoFile, path, "there is no such file")
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, badInput(BadFile, path, "%s", plain.Text(err.Error()))
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
func (s *Services) paths(named []string) (map[ecs.Ref]string, error) {
	out := map[ecs.Ref]string{}
	if len(named) == 0 {
		for _, st := range s.List {
			out[st.Ref] = "imagedefinitions.json"
			if len(s.Configured) > 1 || len(s.List) > 1 {
				out[st.Ref] = "imagedefinitions-" + st.Ref.Service + ".json"
			}
		}
		return out, nil
	}
	for _, d := range named {
		st, path, err := s.fileOf(d)
		if err != nil {
			return nil, err
		}
		if other, ok := out[st.Ref]; ok {
			return nil, refuse(TwoFiles, "definitions: %s and %s are both for ECS service %s", other, path, st.Ref)
		}
		out[st.Ref] = path
	}
	return out, nil
}

// fileOf reads one --definitions: ECS-SERVICE=FILE, a file named as build names it, or
// any file where there is one service.
func (s *Services) fileOf(d string) (*Service, string, error) {
	service, path, ok := strings.Cut(d, "=")
	if !ok {
		path = d
		service, _ = strings.CutPrefix(strings.TrimSuffix(filepath.Base(d), ".json"), "imagedefinitions-")
	}
	i := slices.IndexFunc(s.List, func(st *Service) bool { return st.Ref.Service == service })
	if i < 0 && !ok && len(s.List) == 1 {
		i = 0
	}
	if i >= 0 {
		return s.List[i], path, nil
	}
	var have []string
	for _, st := range s.List {
		have = append(have, st.Ref.Service)
	}
	return nil, "", refuse(UnknownFile, "definitions %s: cannot determine the ECS service of the file; the ECS services are %s", d, strings.Join(have, ", "))
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

// KeepWithFiles leaves the services that have a file, and the containers that are in it.
func (s *Services) KeepWithFiles(files map[ecs.Ref][]artifact.Definition) {
	s.ImagesGiven = true
	s.List = slices.DeleteFunc(s.List, func(st *Service) bool { return files[st.Ref] == nil })
	for _, st := range s.List {
		st.Containers = map[string]registry.Ref{}
		for _, def := range files[st.Ref] {
			// Images of other registries are deployed and not verified.
			st.Containers[def.Name], _ = project.RepositoryOfImage(def.ImageURI)
		}
	}
}

// FindDefinitions returns the images that definitions files name, with the digests
// that ECR has for them now. It writes nothing.
func FindDefinitions(ctx context.Context, aws *awsclient.Clients, s *Services, files map[ecs.Ref][]artifact.Definition) (*Target, error) {
	names := s.runningNames()
	for _, st := range s.List {
		for _, def := range files[st.Ref] {
			if repo, ok := st.Repositories[def.Name]; ok {
				name := project.TagOrDigest(def.ImageURI)
				names[repo.Ref] = append(names[repo.Ref], name)
				if revisionTag(name) != "" {
					names[repo.Ref] = append(names[repo.Ref], registry.RecordTag(name))
				}
			}
		}
	}
	snapshot, err := revisions.ReadTags(ctx, aws.Registries(), s.Repositories, nil, names)
	if err != nil {
		return nil, fault.As(fault.AWS, err)
	}
	t := &Target{snapshot: snapshot, Desired: map[ecs.Ref]map[string]ecs.DesiredImage{}}
	tags := map[string]bool{}
	for _, st := range s.List {
		t.Desired[st.Ref] = map[string]ecs.DesiredImage{}
		for _, def := range files[st.Ref] {
			if t.Desired[st.Ref][def.Name], err = t.define(st, def, tags); err != nil {
				return nil, err
			}
		}
	}
	if err := t.checkTrusted(ctx, aws, tags); err != nil {
		return nil, err
	}
	if len(tags) == 1 {
		for tag := range tags {
			t.Name = revisionTag(tag)
		}
	}
	return t, nil
}

// define returns the image of one definition, and notes its tag or digest in tags.
func (t *Target) define(st *Service, def artifact.Definition, tags map[string]bool) (ecs.DesiredImage, error) {
	want := ecs.DesiredImage{Image: def.ImageURI}
	repo, ok := st.Repositories[def.Name]
	if !ok {
		return want, nil
	}
	image, ok := imageOf(t.snapshot, repo.Ref, def.ImageURI)
	if !ok {
		return want, badInput(NoImage, "image "+def.ImageURI, "is not in its repository: it was never pushed, or has expired")
	}
	want.Digests = revisions.Platforms(image)
	tags[project.TagOrDigest(def.ImageURI)] = true
	return want, t.addImage(repo, image.Digest)
}

// addImage lets latest move to an image, once for each repository.
func (t *Target) addImage(repo registry.Repository, digest string) error {
	i := slices.IndexFunc(t.images, func(p revisions.RevisionImage) bool { return p.Repository.Ref == repo.Ref })
	if i < 0 {
		t.images = append(t.images, revisions.RevisionImage{Repository: repo, Digest: digest})
		return nil
	}
	if t.images[i].Digest != digest {
		return fault.NewInput("repository "+repo.Name, "has two different images in the definitions, and one latest", "deploy one revision of it, or give its containers a repository each")
	}
	return nil
}

// revisionTag is the tag, if it is the name of a revision.
func revisionTag(tag string) string {
	if strings.Contains(tag, ":") || !registry.IsRevisionName(tag) {
		return ""
	}
	return tag
}

// imageOf returns the image that a reference names now.
func imageOf(s *revisions.Snapshot, ref registry.Ref, image string) (revisions.Image, bool) {
	name := project.TagOrDigest(image)
	if strings.Contains(name, ":") {
		return s.ByDigest(ref, name)
	}
	return s.ByTag(ref, name)
}
