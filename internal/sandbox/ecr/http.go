package ecr

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// registryPath matches /v2/<name>/<kind>/<rest>. Names can hold slashes,
// so the last kind in the path counts.
var registryPath = regexp.MustCompile(`^/v2/(.+)/(manifests|blobs|tags|referrers)/(.*)$`)

// registryRequest is a parsed request of the registry API.
type registryRequest struct {
	name string // repository, "" for the API's root and the catalogue
	kind string // manifest, blob, upload, tags, referrers, catalog, ping
	ref  string // tag or digest
}

func parseRegistryPath(path string) (registryRequest, bool) {
	switch path {
	case "/v2", "/v2/":
		return registryRequest{kind: "ping"}, true
	case "/v2/_catalog":
		return registryRequest{kind: "catalog"}, true
	}
	m := registryPath.FindStringSubmatch(path)
	if m == nil {
		return registryRequest{}, false
	}
	q := registryRequest{name: m[1], ref: m[3]}
	switch {
	case m[2] == "manifests":
		q.kind = "manifest"
	case m[2] == "blobs" && strings.HasPrefix(q.ref+"/", "uploads/"):
		q.kind, q.ref = "upload", ""
	case m[2] == "blobs":
		q.kind = "blob"
	default:
		q.kind = m[2]
	}
	return q, true
}

// Serve answers a request of the registry API. It calls name with the action,
// the repository and the tag or digest of the request before it answers.
func (g *Registry) Serve(w http.ResponseWriter, r *http.Request, name func(action, repository, reference string)) {
	q, ok := parseRegistryPath(r.URL.Path)
	if !ok {
		name(r.Method, "", "")
		writeOCIError(w, http.StatusNotFound, "NAME_UNKNOWN", "no such path in the registry API")
		return
	}
	name(r.Method+" "+q.kind, q.name, q.ref)
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if !g.signed(r) && !g.authorized(w, r) {
		return
	}
	if q.name != "" && !g.has(q.name) {
		writeOCIError(w, http.StatusNotFound, "NAME_UNKNOWN", fmt.Sprintf(
			"The repository with name '%s' does not exist in the registry with id '%s'", q.name, g.Account))
		return
	}
	switch q.kind {
	case "ping":
		writeRegistryJSON(w, http.StatusOK, struct{}{})
	case "catalog":
		g.serveCatalog(w, r)
	case "tags":
		g.serveTags(w, r, q)
	case "referrers":
		g.serveReferrers(w, r, q)
	case "manifest":
		g.serveManifest(w, r, q)
	default:
		g.serveBlob(w, r, q)
	}
}

func (g *Registry) has(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.repositories[name] != nil
}

// authorized reports whether a request has a valid token, as the password of
// the user AWS. If not, it has answered the request.
func (g *Registry) authorized(w http.ResponseWriter, r *http.Request) bool {
	user, password, given := r.BasicAuth()
	state := g.tokens.check(password, g.Region)
	switch {
	case given && user == "AWS" && state == tokenGood:
		return true
	case given && user == "AWS" && state == tokenExpired:
		writeOCIError(w, http.StatusForbidden, "DENIED",
			"Your authorization token has expired. Reauthenticate and try again.")
	default:
		w.Header().Set("Www-Authenticate", fmt.Sprintf("Basic realm=%q,service=%q", "http://"+g.host+"/", "ecr.amazonaws.com"))
		writeOCIError(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	}
	return false
}

// serveBlob passes requests for blobs and their uploads to the store. A mount
// from another repository becomes a plain upload unless the account's
// BLOB_MOUNTING setting is on and a manifest of the source repository refers to
// the blob.
func (g *Registry) serveBlob(w http.ResponseWriter, r *http.Request, q registryRequest) {
	if q.kind == "blob" && r.Method == http.MethodDelete {
		writeOCIError(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "blobs cannot be deleted")
		return
	}
	if query := r.URL.Query(); query.Has("mount") && !g.mayMount(query.Get("from"), query.Get("mount")) {
		query.Del("mount")
		query.Del("from")
		r = r.Clone(r.Context())
		r.URL.RawQuery = query.Encode()
	}
	g.blobs.ServeHTTP(w, r)
}

func (g *Registry) mayMount(from, digest string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	source := g.repositories[from]
	if source == nil || g.settings["BLOB_MOUNTING"] != "ENABLED" {
		return false
	}
	for _, i := range source.images {
		if slices.Contains(i.content.blobs(), digest) {
			return true
		}
	}
	return false
}

func (g *Registry) serveCatalog(w http.ResponseWriter, r *http.Request) {
	names, more := pageAfter(g.Repositories(), r)
	linkNext(w, r, names, more)
	writeRegistryJSON(w, http.StatusOK, map[string]any{"repositories": names})
}

func (g *Registry) serveTags(w http.ResponseWriter, r *http.Request, q registryRequest) {
	tags, more := pageAfter(g.tagNames(q.name), r)
	linkNext(w, r, tags, more)
	writeRegistryJSON(w, http.StatusOK, map[string]any{"name": q.name, "tags": tags})
}

// pageAfter returns the page of a sorted list that the query's n and last ask
// for.
func pageAfter(sorted []string, r *http.Request) (page []string, more bool) {
	start, found := slices.BinarySearch(sorted, r.URL.Query().Get("last"))
	if found {
		start++
	}
	page = append([]string{}, sorted[start:]...) // never null in JSON
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 0 || n >= len(page) {
		return page, false
	}
	return page[:n], true
}

// linkNext adds a link to the next page, by RFC 5988 and the distribution
// specification.
func linkNext(w http.ResponseWriter, r *http.Request, page []string, more bool) {
	if !more || len(page) == 0 {
		return
	}
	next := *r.URL
	query := next.Query()
	query.Set("last", page[len(page)-1])
	next.RawQuery = query.Encode()
	w.Header().Set("Link", fmt.Sprintf("<%s>; rel=%q", next.RequestURI(), "next"))
}

func writeRegistryJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone if this fails
}

// writeOCIError answers with an error of the distribution specification.
func writeOCIError(w http.ResponseWriter, status int, code, message string) {
	writeRegistryJSON(w, status, map[string]any{
		"errors": []map[string]string{{"code": code, "message": message}},
	})
}
