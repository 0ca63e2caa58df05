package build

import (
	"context"
	"fmt"
	"path/filepath"

	"slipway/artifact"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
)

// define writes the definitions, last of all that the job leaves behind, and uploads them.
// They name the images of the revision that is to run.
func (j *job) define(ctx context.Context, p revisions.Published) error {
	if j.options.NoLatest {
		return nil
	}
	images := map[string]string{}
	for _, c := range j.components {
		name, c := p.Name, *c
		if newer, ok := imageOf(p.Newer, c); ok {
			name, c.Digest = p.Newer.Revision, newer
		}
		images[c.Target.Service] = c.ImageURI(name, j.options.ImageRef)
	}
	uri := func(c project.Component) string { return images[c.Target.Service] }
	files := map[string][]byte{}
	for _, f := range j.plan.Files {
		data, err := j.plan.Definitions(f, uri)
		if err != nil {
			return err
		}
		files[f.Path] = data
	}
	for _, f := range j.plan.TaskFiles {
		data, err := j.plan.TaskDefinitions(f, uri)
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
		j.Infof("%s %s", verb, project.Relative(j.Dir, path))
	}
	return j.upload(ctx, files)
}

// ImageURI is the image as definitions name it: by the revision's name, by digest or by
// latest.
func (c *Component) ImageURI(name, form string) string {
	repository := c.Repository.URI.Name()
	switch form {
	case "digest":
		return repository + "@" + c.Digest
	case "latest":
		return repository + ":" + registry.TagLatest
	default:
		return repository + ":" + name
	}
}

// upload puts the definitions on S3 as one zip, where CodePipeline's S3 source finds it.
func (j *job) upload(ctx context.Context, files map[string][]byte) error {
	if j.options.Artifact == "" || len(files) == 0 {
		return nil
	}
	loc, err := artifact.ParseS3URL(j.options.Artifact)
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
		return fault.As(fault.AWS, err)
	}
	if version != "" {
		version = " (version " + version + ")"
	}
	j.Infof("uploaded %s%s", loc, version)
	return nil
}
