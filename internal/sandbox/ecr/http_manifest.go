package ecr

import (
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

// maxManifest is the limit of the distribution library and of ECR.
const maxManifest = 4 << 20

var (
	tagPattern    = regexp.MustCompile(`^\w[\w.-]{0,127}$`)
	digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

func (g *Registry) serveManifest(w http.ResponseWriter, r *http.Request, q registryRequest) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		g.getManifest(w, r, q)
	case http.MethodPut:
		g.putManifest(w, r, q)
	default:
		writeOCIError(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "images are deleted through the ECR API")
	}
}

// getManifest resolves a tag; the store answers by digest.
func (g *Registry) getManifest(w http.ResponseWriter, r *http.Request, q registryRequest) {
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

func splitReference(ref string) (digest, tag string) {
	if strings.Contains(ref, ":") {
		return ref, ""
	}
	return "", ref
}

func (g *Registry) putManifest(w http.ResponseWriter, r *http.Request, q registryRequest) {
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
		writeOCIError(w, http.StatusBadRequest, "DIGEST_INVALID",
			"The digest does not match the manifest: "+digestOf(body))
		return
	}
	_, err = g.put(r.Context(), putRequest{q.name, body, mediaTypeOf(r), tag})
	if err = unlessSame(err); err != nil {
		writePutError(w, err)
		return
	}
	if content, err := parseManifest(body); err == nil && content.Subject != nil {
		w.Header().Set("OCI-Subject", content.Subject.Digest.String())
	}
	digest = digestOf(body)
	w.Header().Set("Location", "/v2/"+q.name+"/manifests/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

// mediaTypeOf returns the Content-Type of a request without parameters.
func mediaTypeOf(r *http.Request) string {
	t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.TrimSpace(t)
}

// unlessSame returns nil for the error that an image exists already: with the
// registry API, a push of the same image succeeds.
func unlessSame(err error) error {
	var e *awsapi.Error
	if errors.As(err, &e) && e.Code == "ImageAlreadyExistsException" {
		return nil
	}
	return err
}

// ociErrors has the registry API's errors by the codes of the ECR API.
var ociErrors = map[string]struct {
	status int
	code   string
}{
	"RepositoryNotFoundException":       {http.StatusNotFound, "NAME_UNKNOWN"},
	"ImageTagAlreadyExistsException":    {http.StatusBadRequest, "TAG_INVALID"},
	"LayersNotFoundException":           {http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN"},
	"ReferencedImagesNotFoundException": {http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN"},
	"LimitExceededException":            {http.StatusForbidden, "DENIED"},
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

func (g *Registry) tagNames(name string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.repositories[name]
	if r == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(r.tags))
}
