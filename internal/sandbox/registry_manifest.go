package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"slipway/internal/sandbox/awsapi"
)

// maxManifest is the distribution library's limit and ECR's.
const maxManifest = 4 << 20

var (
	tagPattern    = regexp.MustCompile(`^\w[\w.-]{0,127}$`)
	digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

func (g *registry) serveManifest(w http.ResponseWriter, r *http.Request, q registryRequest) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		g.getManifest(w, r, q)
	case http.MethodPut:
		g.putManifest(w, r, q)
	default:
		writeOCIError(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "images are deleted through the ECR API")
	}
}

// getManifest resolves the tag here and lets the store answer by digest.
func (g *registry) getManifest(w http.ResponseWriter, r *http.Request, q registryRequest) {
	digest, tag := splitReference(q.ref)
	digest, archived := g.Pull(q.name, digest, tag)
	switch {
	case digest == "":
		writeOCIError(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "Requested image not found")
		return
	case archived:
		writeOCIError(w, http.StatusForbidden, "DENIED", fmt.Sprintf(
			"The image '%s' is archived. Restore it to the standard storage class before you pull it.", q.ref))
		return
	}
	r = r.Clone(r.Context())
	r.URL.Path = "/v2/" + q.name + "/manifests/" + digest
	r.URL.RawPath = ""
	g.blobs.ServeHTTP(w, r)
}

// Digest returns the digest of the image that a digest, a tag or both name in a
// repository, "" if there is none.
func (g *registry) Digest(repository, digest, tag string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := g.image(repository, digest, tag); i != nil {
		return i.digest
	}
	return ""
}

// Pull is Digest for an image that is about to be pulled: it records the time
// as the image's last pull. An archived image cannot be pulled.
func (g *registry) Pull(repository, digest, tag string) (found string, archived bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.image(repository, digest, tag)
	if i == nil {
		return "", false
	}
	if !i.archived {
		i.pulledAt = g.clock.Now()
	}
	return i.digest, i.archived
}

// Manifest returns the manifest of an image, nil if a repository has no such image.
func (g *registry) Manifest(repository, digest string) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := g.image(repository, digest, ""); i != nil {
		return i.manifest
	}
	return nil
}

// Blob returns a blob of a repository. The error wraps errNoBlob if there is none.
func (g *registry) Blob(ctx context.Context, repository, digest string) ([]byte, error) {
	return g.blobs.blob(ctx, repository, digest)
}

// image finds the image that a digest, a tag or both name; the caller holds mu.
func (g *registry) image(repository, digest, tag string) *image {
	r := g.repositories[repository]
	if r == nil {
		return nil
	}
	return r.find(digest, tag)
}

func splitReference(ref string) (digest, tag string) {
	if strings.Contains(ref, ":") {
		return ref, ""
	}
	return "", ref
}

func (g *registry) putManifest(w http.ResponseWriter, r *http.Request, q registryRequest) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	if err != nil {
		writeOCIError(w, http.StatusBadRequest, "MANIFEST_INVALID", err.Error())
		return
	}
	digest, tag := splitReference(q.ref)
	if tag != "" && !tagPattern.MatchString(tag) {
		writeOCIError(w, http.StatusBadRequest, "TAG_INVALID", fmt.Sprintf("The image tag '%s' is not legal.", tag))
		return
	}
	if digest != "" && digest != digestOf(body) {
		writeOCIError(w, http.StatusBadRequest, "DIGEST_INVALID", "The digest does not match the manifest: "+digestOf(body))
		return
	}
	_, err = g.put(r.Context(), putRequest{q.name, body, mediaTypeOf(r), tag})
	if err = unlessSame(err); err != nil {
		writePutError(w, err)
		return
	}
	digest = digestOf(body)
	w.Header().Set("Location", "/v2/"+q.name+"/manifests/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

// mediaTypeOf is a request's Content-Type without parameters.
func mediaTypeOf(r *http.Request) string {
	t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.TrimSpace(t)
}

// unlessSame drops the complaint that an image is there already: a push of
// the same image is no error.
func unlessSame(err error) error {
	var e *awsapi.Error
	if errors.As(err, &e) && e.Code == "ImageAlreadyExistsException" {
		return nil
	}
	return err
}

// ociErrors says how the registry API words the ECR API's errors.
var ociErrors = map[string]struct {
	status int
	code   string
}{
	"RepositoryNotFoundException":       {http.StatusNotFound, "NAME_UNKNOWN"},
	"ImageTagAlreadyExistsException":    {http.StatusBadRequest, "TAG_INVALID"},
	"LayersNotFoundException":           {http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN"},
	"ReferencedImagesNotFoundException": {http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN"},
	"InvalidParameterException":         {http.StatusBadRequest, "MANIFEST_INVALID"},
}

func writePutError(w http.ResponseWriter, err error) {
	var e *awsapi.Error
	if errors.As(err, &e) {
		if o, ok := ociErrors[e.Code]; ok {
			writeOCIError(w, o.status, o.code, e.Message)
			return
		}
	}
	writeOCIError(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
}

// serveReferrers lists the manifests that name another as their subject, as
// the distribution specification's referrers API has it.
func (g *registry) serveReferrers(w http.ResponseWriter, q registryRequest) {
	manifests := []map[string]any{}
	for _, i := range g.referrers(q.name, q.ref) {
		manifests = append(manifests, map[string]any{
			"mediaType": i.mediaType, "digest": i.digest, "size": len(i.manifest),
			"artifactType": i.content.artifactMediaType(), "annotations": i.content.Annotations,
		})
	}
	const index = "application/vnd.oci.image.index.v1+json"
	w.Header().Set("Content-Type", index)
	writeRegistryJSON(w, http.StatusOK, map[string]any{"schemaVersion": 2, "mediaType": index, "manifests": manifests})
}

func (g *registry) referrers(name, digest string) []image {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []image
	if r := g.repositories[name]; r != nil {
		for _, i := range r.sortedImages() {
			if s := i.content.Subject; s != nil && s.Digest.String() == digest {
				out = append(out, *i)
			}
		}
	}
	return out
}

// Repositories returns the names of the repositories in order.
func (g *registry) Repositories() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.repositories))
}

func (g *registry) tagNames(name string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.repositories[name]
	if r == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(r.tags))
}
