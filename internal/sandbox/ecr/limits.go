package ecr

import (
	"sync"

	"slipway/internal/sandbox/awsapi"
)

// Limits are the quotas of ECR for images ("Amazon ECR service quotas" in the ECR
// user guide), and what its documentation leaves open.
type Limits struct {
	TagsPerImage        int `json:"tagsPerImage"`
	ImagesPerRepository int `json:"imagesPerRepository"`
	// RefuseNested refuses an index whose child is an index.
	RefuseNested bool `json:"refuseNested"`
}

// DefaultLimits returns the quotas of a new account. Nested indexes are allowed.
func DefaultLimits() Limits { return Limits{TagsPerImage: 1000, ImagesPerRepository: 100_000} }

// limits are shared by all registries, and changed at any time.
type limits struct {
	mu sync.Mutex
	Limits
}

// Limits returns the limits of all registries.
func (s *Registries) Limits() Limits { return s.limits.get() }

// SetLimits sets the limits of all registries.
func (s *Registries) SetLimits(to Limits) {
	s.limits.mu.Lock()
	defer s.limits.mu.Unlock()
	s.limits.Limits = to
}

func (l *limits) get() Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Limits
}

// checkLimits returns the error for a put that exceeds a limit, nil for none; the
// caller holds mu.
func (g *Registry) checkLimits(r *repository, tag, digest string, content manifestContent) error {
	l := g.limits.get()
	if r.images[digest] == nil && len(r.images) >= l.ImagesPerRepository {
		return awsapi.Errorf("LimitExceededException",
			"The repository with name '%s' in registry with id '%s' has the maximum allowed number of images, which is '%d'", r.name, g.Account, l.ImagesPerRepository)
	}
	if tag != "" && r.tags[tag] != digest && len(r.tagsOf(digest)) >= l.TagsPerImage {
		return awsapi.Errorf("LimitExceededException",
			"Adding tag '%s' to an image in the repository with name '%s' in registry with id '%s' exceeds the maximum allowed number of tags per image which is '%d'",
			tag, r.name, g.Account, l.TagsPerImage)
	}
	for _, child := range content.children() {
		if i := r.images[child]; l.RefuseNested && i != nil && len(i.content.children()) > 0 {
			return awsapi.InvalidParameter("imageManifest", "must not refer to an image index: "+child)
		}
	}
	return nil
}
