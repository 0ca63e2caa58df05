package ecr

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// serveReferrers lists the manifests that name another as their subject, as
// the distribution specification's referrers API has it.
func (g *Registry) serveReferrers(w http.ResponseWriter, r *http.Request, q registryRequest) {
	if !digestPattern.MatchString(q.ref) {
		writeOCIError(w, http.StatusBadRequest, "DIGEST_INVALID", fmt.Sprintf("The digest '%s' is not valid.", q.ref))
		return
	}
	types := r.URL.Query()["artifactType"]
	if types != nil {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	manifests := []map[string]any{}
	for _, i := range g.referrers(q.name, q.ref) {
		if types != nil && !slices.Contains(types, i.content.artifactMediaType()) {
			continue
		}
		manifests = append(manifests, map[string]any{
			"mediaType": i.mediaType, "digest": i.digest, "size": len(i.manifest),
			"artifactType": i.content.artifactMediaType(), "annotations": i.content.Annotations,
		})
	}
	const index = "application/vnd.oci.image.index.v1+json"
	w.Header().Set("Content-Type", index)
	writeRegistryJSON(w, http.StatusOK, map[string]any{"schemaVersion": 2, "mediaType": index, "manifests": manifests})
}

func (g *Registry) referrers(name, digest string) []image {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []image
	if r := g.repositories[name]; r != nil {
		for _, i := range r.referrers(digest) {
			out = append(out, *i)
		}
	}
	return out
}

// referrers returns the images whose subject a digest is, in order of digest.
func (r *repository) referrers(digest string) []*image {
	return slices.DeleteFunc(r.sortedImages(), func(i *image) bool { return i.subject() != digest })
}

// subject returns the digest of the manifest that an image refers to, "" if
// there is none.
func (i *image) subject() string {
	if i.content.Subject == nil {
		return ""
	}
	return i.content.Subject.Digest.String()
}

// Source: ListImageReferrers in the ECR API reference.
type listReferrersIn struct {
	target
	awsapi.Paging
	SubjectID struct {
		ImageDigest string `json:"imageDigest"`
	} `json:"subjectId"`
	Filter struct {
		ArtifactStatus string   `json:"artifactStatus"`
		ArtifactTypes  []string `json:"artifactTypes"`
	} `json:"filter"`
}

type referrer struct {
	Digest         string          `json:"digest"`
	MediaType      string          `json:"mediaType"`
	ArtifactType   string          `json:"artifactType,omitempty"`
	Size           int             `json:"size"`
	Annotations    json.RawMessage `json:"annotations,omitempty"`
	ArtifactStatus string          `json:"artifactStatus"`
}

type listReferrersOut struct {
	Referrers []referrer `json:"referrers"`
	NextToken string     `json:"nextToken,omitempty"`
}

// listImageReferrers lists the artifacts of a subject, which need not be there.
func (s *Registries) listImageReferrers(c awsapi.Call, in listReferrersIn) (listReferrersOut, error) {
	out := listReferrersOut{Referrers: []referrer{}}
	if !digestPattern.MatchString(in.SubjectID.ImageDigest) {
		return out, awsapi.InvalidParameter("subjectId.imageDigest", "must satisfy the pattern of a digest")
	}
	if in.MaxResults == nil {
		in.MaxResults = new(20)
	}
	err := s.locked(c, in.target, func(_ *Registry, r *repository) error {
		found := slices.DeleteFunc(r.referrers(in.SubjectID.ImageDigest), func(i *image) bool { return !in.matches(i) })
		page, next, err := awsapi.Page(in.Paging, 50, found, func(i *image) string { return i.digest })
		for _, i := range page {
			out.Referrers = append(out.Referrers, referrer{
				i.digest, i.mediaType, i.content.artifactMediaType(), len(i.manifest), i.content.Annotations, i.status(),
			})
		}
		out.NextToken = next
		return err
	})
	return out, err
}

func (in listReferrersIn) matches(i *image) bool {
	wanted := cmp.Or(in.Filter.ArtifactStatus, "ACTIVE")
	return (wanted == "ANY" || wanted == i.status()) &&
		(in.Filter.ArtifactTypes == nil || slices.Contains(in.Filter.ArtifactTypes, i.content.artifactMediaType()))
}

// followSubjects expires the artifacts whose subject was deleted, and archives
// those whose subject was archived. An artifact stays a day in its storage class
// before. Sources: "Automate the cleanup of images by using lifecycle policies"
// and "Sign images" in the ECR user guide.
func (r *repository) followSubjects(now time.Time) {
	const least = 24 * time.Hour
	for gone := true; gone; { // an artifact may be the subject of another one
		gone = false
		for _, i := range r.sortedImages() {
			if i.subject() == "" || now.Sub(i.inClassSince()) < least {
				continue
			}
			switch subject := r.images[i.subject()]; {
			case subject == nil:
				r.remove(i.digest)
				gone = true
			case subject.archived:
				i.setArchived(true, now)
			}
		}
	}
}

// inClassSince is when the image went to its storage class.
func (i *image) inClassSince() time.Time {
	switch {
	case i.archived:
		return i.archivedAt
	case i.activatedAt.After(i.pushedAt):
		return i.activatedAt
	default:
		return i.pushedAt
	}
}
