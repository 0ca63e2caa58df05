package ecr

import (
	"cmp"
	"fmt"
	"slices"

	"slipway/internal/sandbox/awsapi"
)

type imageID struct {
	ImageDigest string `json:"imageDigest,omitempty"`
	ImageTag    string `json:"imageTag,omitempty"`
}

type imageFailure struct {
	ImageID       imageID `json:"imageId"`
	FailureCode   string  `json:"failureCode"`
	FailureReason string  `json:"failureReason"`
}

// maxImageIDs is ECR's limit for every request that names images.
const maxImageIDs = 100

func checkImageIDs(ids []imageID) error {
	if len(ids) < 1 || len(ids) > maxImageIDs {
		return awsapi.InvalidParameter("imageIds", fmt.Sprintf("must have length between 1 and %d", maxImageIDs))
	}
	return nil
}

// resolve returns the image that an ID names, or a failure.
func (r *repository) resolve(id imageID) (*image, *imageFailure) {
	fail := func(code, reason string) (*image, *imageFailure) {
		return nil, &imageFailure{id, code, reason}
	}
	switch {
	case id == imageID{}:
		return fail("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
	case id.ImageDigest != "" && !digestPattern.MatchString(id.ImageDigest):
		return fail("InvalidImageDigest",
			"Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
	case id.ImageTag != "" && !tagPattern.MatchString(id.ImageTag):
		return fail("InvalidImageTag", "Invalid request parameters: image tag is not legal")
	}
	if i := r.find(id.ImageDigest, id.ImageTag); i != nil {
		return i, nil
	}
	if id.ImageDigest != "" && r.tags[id.ImageTag] != "" {
		return fail("ImageTagDoesNotMatchDigest", "The tag does not belong to the image with this digest")
	}
	return fail("ImageNotFound", "Requested image not found")
}

type batchGetImageIn struct {
	target
	ImageIDs           []imageID `json:"imageIds"`
	AcceptedMediaTypes []string  `json:"acceptedMediaTypes"`
}

type imageOut struct {
	target
	ImageID                imageID `json:"imageId"`
	ImageManifest          string  `json:"imageManifest"`
	ImageManifestMediaType string  `json:"imageManifestMediaType"`
}

type batchGetImageOut struct {
	Images   []imageOut     `json:"images"`
	Failures []imageFailure `json:"failures"`
}

func (s *Registries) batchGetImage(c awsapi.Call, in batchGetImageIn) (batchGetImageOut, error) {
	out := batchGetImageOut{Images: []imageOut{}, Failures: []imageFailure{}}
	if err := checkImageIDs(in.ImageIDs); err != nil {
		return out, err
	}
	err := s.locked(c, in.target, func(g *Registry, r *repository) error {
		for _, id := range in.ImageIDs {
			i, failure := r.resolve(id)
			if failure == nil {
				failure = i.refuses(id, in.AcceptedMediaTypes)
			}
			if failure != nil {
				out.Failures = append(out.Failures, *failure)
				continue
			}
			out.Images = append(out.Images, g.imageOut(r, i, id.ImageTag))
		}
		return nil
	})
	return out, err
}

// refuses returns the failure for a manifest that cannot be read, nil if it
// can.
func (i *image) refuses(id imageID, accepted []string) *imageFailure {
	switch {
	case i.archived:
		return &imageFailure{id, "ImageInaccessible", "Requested image is archived"}
	case accepted != nil && !slices.Contains(accepted, i.mediaType):
		return &imageFailure{id, "ImageNotFound", "Requested image is of media type " + i.mediaType + ", which is not accepted"}
	}
	return nil
}

func (g *Registry) imageOut(r *repository, i *image, tag string) imageOut {
	return imageOut{
		target:                 target{g.Account, r.name},
		ImageID:                imageID{i.digest, tag},
		ImageManifest:          string(i.manifest),
		ImageManifestMediaType: i.mediaType,
	}
}

type putImageIn struct {
	target
	ImageManifest          string `json:"imageManifest"`
	ImageManifestMediaType string `json:"imageManifestMediaType"`
	ImageTag               string `json:"imageTag"`
	ImageDigest            string `json:"imageDigest"`
}

type putImageOut struct {
	Image imageOut `json:"image"`
}

func (s *Registries) putImage(c awsapi.Call, in putImageIn) (out putImageOut, err error) {
	g, err := s.registry(c, in.RegistryID)
	if err != nil {
		return out, err
	}
	if err := checkPutImage(in); err != nil {
		return out, err
	}
	i, err := g.put(c.Context, putRequest{in.RepositoryName, []byte(in.ImageManifest), in.ImageManifestMediaType, in.ImageTag})
	if err != nil {
		return out, err
	}
	return putImageOut{g.imageOut(&repository{name: in.RepositoryName}, i, in.ImageTag)}, nil
}

func checkPutImage(in putImageIn) error {
	if err := checkRepositoryName(in.RepositoryName); err != nil {
		return err
	}
	if in.ImageManifest == "" || len(in.ImageManifest) > maxManifest {
		return awsapi.InvalidParameter("imageManifest", fmt.Sprintf("must have length between 1 and %d", maxManifest))
	}
	if in.ImageTag != "" && !tagPattern.MatchString(in.ImageTag) {
		return awsapi.InvalidParameter("imageTag", "must satisfy regular expression '"+tagPattern.String()+"'")
	}
	content, err := parseManifest([]byte(in.ImageManifest))
	if err != nil {
		return awsapi.InvalidParameter("imageManifest", err.Error())
	}
	if cmp.Or(in.ImageManifestMediaType, content.MediaType) == "" {
		return awsapi.InvalidParameter("imageManifestMediaType", "must be given, for the manifest holds no mediaType")
	}
	if digest := digestOf([]byte(in.ImageManifest)); in.ImageDigest != "" && in.ImageDigest != digest {
		return awsapi.Errorf("ImageDigestDoesNotMatchException",
			"The provided digest '%s' does not match the computed digest '%s'", in.ImageDigest, digest)
	}
	return nil
}

type batchDeleteImageIn struct {
	target
	ImageIDs []imageID `json:"imageIds"`
}

type batchDeleteImageOut struct {
	ImageIDs []imageID      `json:"imageIds"`
	Failures []imageFailure `json:"failures"`
}

func (s *Registries) batchDeleteImage(c awsapi.Call, in batchDeleteImageIn) (batchDeleteImageOut, error) {
	out := batchDeleteImageOut{ImageIDs: []imageID{}, Failures: []imageFailure{}}
	if err := checkImageIDs(in.ImageIDs); err != nil {
		return out, err
	}
	err := s.locked(c, in.target, func(_ *Registry, r *repository) error {
		for _, id := range in.ImageIDs {
			deleted, failure := r.drop(id)
			if failure != nil {
				out.Failures = append(out.Failures, *failure)
			}
			out.ImageIDs = append(out.ImageIDs, deleted...)
		}
		return nil
	})
	return out, err
}

// drop deletes an image: by digest with all its tags, by tag only that tag, but
// with its last tag the image itself.
func (r *repository) drop(id imageID) (deleted []imageID, failure *imageFailure) {
	i, failure := r.resolve(id)
	if failure != nil {
		return nil, failure
	}
	tags := r.tagsOf(i.digest)
	if id.ImageDigest == "" && len(tags) > 1 {
		delete(r.tags, id.ImageTag)
		return []imageID{{i.digest, id.ImageTag}}, nil
	}
	if parents := r.parentsOf(i.digest); parents != nil {
		return nil, &imageFailure{id, "ImageReferencedByManifestList",
			fmt.Sprintf("Requested image referenced by manifest list: %v", parents)}
	}
	r.remove(i.digest)
	if tags == nil {
		return []imageID{{ImageDigest: i.digest}}, nil
	}
	for _, tag := range tags {
		deleted = append(deleted, imageID{i.digest, tag})
	}
	return deleted, nil
}
