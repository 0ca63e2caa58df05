package cmd

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"slipway/artifact"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
)

// define writes the definitions, last of all that the job leaves behind, and uploads them.
func (j *job) define(ctx context.Context, name string, images *images) error {
	if j.options.noLatest {
		return nil
	}
	uri := func(s project.Component) string {
		i := slices.IndexFunc(j.plan.Components, func(o project.Component) bool { return o.Target.Service == s.Target.Service })
		return imageURI(images.placements[i], name, j.options.imageRef)
	}
	files := map[string][]byte{}
	for _, f := range j.plan.Files {
		data, err := j.plan.Definitions(f, uri)
		if err != nil {
			return err
		}
		files[f.Path] = data
	}
	if j.plan.ImageDetail != "" {
		data, err := artifact.ImageDetail(uri(j.plan.Components[0]))
		if err != nil {
			return err
		}
		files[j.plan.ImageDetail] = data
	}
	for _, path := range j.plan.Outputs {
		written, err := j.pending[path].Write(files[path])
		if err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		verb := "wrote"
		if !written {
			verb = "left as it is:"
		}
		j.Infof("%s %s", verb, relative(j.Dir, path))
	}
	return j.upload(ctx, files)
}

func imageURI(p revisions.RevisionImage, name, ref string) string {
	switch ref {
	case "digest":
		return p.Repository.URI.Name() + "@" + p.Digest
	case "latest":
		return p.Repository.URI.Name() + ":" + registry.TagLatest
	default:
		return p.Repository.URI.Name() + ":" + name
	}
}

// upload puts the definitions on S3 as one zip, where CodePipeline's S3 source finds it.
func (j *job) upload(ctx context.Context, files map[string][]byte) error {
	if j.options.artifact == "" {
		return nil
	}
	loc, err := artifact.ParseS3URL(j.options.artifact)
	if err != nil {
		return err
	}
	flat := map[string][]byte{}
	for path, data := range files {
		flat[filepath.Base(path)] = data
	}
	body, err := artifact.Zip(flat)
	if err != nil {
		return err
	}
	version, err := artifact.Upload(ctx, j.cloud.S3(), loc, body, "application/zip")
	if err != nil {
		return refused(err)
	}
	if version != "" {
		version = " (version " + version + ")"
	}
	j.Infof("uploaded %s%s", loc, version)
	return nil
}
