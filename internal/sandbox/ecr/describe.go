package ecr

import (
	"cmp"

	"slipway/internal/sandbox/awsapi"
)

// imageFilter narrows DescribeImages and ListImages.
type imageFilter struct {
	TagStatus   string `json:"tagStatus"`
	ImageStatus string `json:"imageStatus"`
}

func (f imageFilter) check() error {
	switch f.TagStatus {
	case "", "ANY", "TAGGED", "UNTAGGED":
	default:
		return awsapi.InvalidParameter("filter.tagStatus", "must satisfy enum value set: [TAGGED, UNTAGGED, ANY]")
	}
	switch f.ImageStatus {
	case "", "ANY", "ACTIVE", "ARCHIVED", "ACTIVATING":
	default:
		return awsapi.InvalidParameter("filter.imageStatus",
			"must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]")
	}
	return nil
}

// matches reports whether the filter lets an image pass: by default only active
// ones, as with ECR.
func (f imageFilter) matches(i *image, tags []string) bool {
	switch f.TagStatus {
	case "TAGGED":
		if tags == nil {
			return false
		}
	case "UNTAGGED":
		if tags != nil {
			return false
		}
	}
	wanted := cmp.Or(f.ImageStatus, "ACTIVE")
	return wanted == "ANY" || wanted == i.status()
}

func (i *image) status() string {
	if i.archived {
		return "ARCHIVED"
	}
	return "ACTIVE"
}

type describeImagesIn struct {
	target
	awsapi.Paging
	ImageIDs []imageID   `json:"imageIds"`
	Filter   imageFilter `json:"filter"`
}

type imageDetail struct {
	target
	ImageDigest            string        `json:"imageDigest"`
	ImageTags              []string      `json:"imageTags,omitempty"`
	ImageSizeInBytes       int64         `json:"imageSizeInBytes"`
	ImagePushedAt          *awsapi.Epoch `json:"imagePushedAt"`
	ImageManifestMediaType string        `json:"imageManifestMediaType"`
	ArtifactMediaType      string        `json:"artifactMediaType,omitempty"`
	ImageStatus            string        `json:"imageStatus"`
	LastRecordedPullTime   *awsapi.Epoch `json:"lastRecordedPullTime,omitempty"`
	LastArchivedAt         *awsapi.Epoch `json:"lastArchivedAt,omitempty"`
	LastActivatedAt        *awsapi.Epoch `json:"lastActivatedAt,omitempty"`
	SubjectManifestDigest  string        `json:"subjectManifestDigest,omitempty"`
}

type describeImagesOut struct {
	ImageDetails []imageDetail `json:"imageDetails"`
	NextToken    string        `json:"nextToken,omitempty"`
}

func (s *Registries) describeImages(c awsapi.Call, in describeImagesIn) (describeImagesOut, error) {
	out := describeImagesOut{ImageDetails: []imageDetail{}}
	if err := in.Filter.check(); err != nil {
		return out, err
	}
	err := s.locked(c, in.target, func(g *Registry, r *repository) error {
		images, next, err := g.selected(r, in)
		if err != nil {
			return err
		}
		out.NextToken = next
		for _, i := range images {
			out.ImageDetails = append(out.ImageDetails, g.detail(r, i))
		}
		return nil
	})
	return out, err
}

// selected returns the images that a request names, or else a page of all that
// its filter lets pass.
func (g *Registry) selected(r *repository, in describeImagesIn) (images []*image, next string, err error) {
	if in.ImageIDs == nil {
		for _, i := range r.sortedImages() {
			if in.Filter.matches(i, r.tagsOf(i.digest)) {
				images = append(images, i)
			}
		}
		return awsapi.Page(in.Paging, 1000, images, func(i *image) string { return i.digest })
	}
	if in.MaxResults != nil || in.NextToken != "" {
		return nil, "", awsapi.InvalidParameter("maxResults", "must be absent when imageIds are given")
	}
	if err := checkImageIDs(in.ImageIDs); err != nil {
		return nil, "", err
	}
	seen := map[string]bool{}
	for _, id := range in.ImageIDs {
		i, failure := r.resolve(id)
		if failure != nil {
			return nil, "", g.notFound(r, failure)
		}
		if !seen[i.digest] {
			seen[i.digest] = true
			images = append(images, i)
		}
	}
	return images, "", nil
}

func (g *Registry) notFound(r *repository, f *imageFailure) error {
	switch f.FailureCode {
	case "ImageNotFound", "ImageTagDoesNotMatchDigest":
		return awsapi.Errorf("ImageNotFoundException",
			"The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in the registry with id '%s'",
			cmp.Or(f.ImageID.ImageDigest, "null"), cmp.Or(f.ImageID.ImageTag, "null"), r.name, g.Account)
	default:
		return awsapi.InvalidParameter("imageIds", f.FailureReason)
	}
}

func (g *Registry) detail(r *repository, i *image) imageDetail {
	return imageDetail{
		target:                 target{g.Account, r.name},
		ImageDigest:            i.digest,
		ImageTags:              r.tagsOf(i.digest),
		ImageSizeInBytes:       r.sizeOf(i),
		ImagePushedAt:          awsapi.Stamp(i.pushedAt),
		ImageManifestMediaType: i.mediaType,
		ArtifactMediaType:      i.content.artifactMediaType(),
		ImageStatus:            i.status(),
		LastRecordedPullTime:   awsapi.Stamp(i.pulledAt),
		LastArchivedAt:         awsapi.Stamp(i.archivedAt),
		LastActivatedAt:        awsapi.Stamp(i.activatedAt),
		SubjectManifestDigest:  i.subject(),
	}
}

type listImagesIn struct {
	target
	awsapi.Paging
	Filter imageFilter `json:"filter"`
}

type listImagesOut struct {
	ImageIDs  []imageID `json:"imageIds"`
	NextToken string    `json:"nextToken,omitempty"`
}

// listImages returns an entry for each tag, and one for each image without
// tags.
func (s *Registries) listImages(c awsapi.Call, in listImagesIn) (listImagesOut, error) {
	out := listImagesOut{ImageIDs: []imageID{}}
	if err := in.Filter.check(); err != nil {
		return out, err
	}
	err := s.locked(c, in.target, func(_ *Registry, r *repository) error {
		ids := []imageID{}
		for _, i := range r.sortedImages() {
			tags := r.tagsOf(i.digest)
			if !in.Filter.matches(i, tags) {
				continue
			}
			if tags == nil {
				ids = append(ids, imageID{ImageDigest: i.digest})
			}
			for _, tag := range tags {
				ids = append(ids, imageID{i.digest, tag})
			}
		}
		var err error
		out.ImageIDs, out.NextToken, err = awsapi.Page(in.Paging, 1000, ids, func(id imageID) string {
			return id.ImageDigest + "\x00" + id.ImageTag
		})
		return err
	})
	return out, err
}

type updateImageStorageClassIn struct {
	target
	ImageID            imageID `json:"imageId"`
	TargetStorageClass string  `json:"targetStorageClass"`
}

type updateImageStorageClassOut struct {
	target
	ImageID     imageID `json:"imageId"`
	ImageStatus string  `json:"imageStatus"`
}

// updateImageStorageClass archives and restores at once; ECR takes up to 20
// minutes to restore.
func (s *Registries) updateImageStorageClass(c awsapi.Call, in updateImageStorageClassIn) (out updateImageStorageClassOut, err error) {
	if in.TargetStorageClass != "STANDARD" && in.TargetStorageClass != "ARCHIVE" {
		return out, awsapi.InvalidParameter("targetStorageClass", "must satisfy enum value set: [STANDARD, ARCHIVE]")
	}
	err = s.locked(c, in.target, func(g *Registry, r *repository) error {
		i, failure := r.resolve(in.ImageID)
		if failure != nil {
			return g.notFound(r, failure)
		}
		i.setArchived(in.TargetStorageClass == "ARCHIVE", g.clock.Now())
		out = updateImageStorageClassOut{target{g.Account, r.name}, imageID{ImageDigest: i.digest}, i.status()}
		return nil
	})
	return out, err
}
