// Package s3 is a stand-in for Amazon S3.
package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"slipway/internal/sandbox/awsapi"
)

// Store is S3 in memory, with path-style addresses. gofakes3 keeps the objects.
// Store adds checksums of requests, lifecycle configurations, and an error for
// subresources that gofakes3 would ignore.
type Store struct {
	fake    http.Handler
	backend gofakes3.Backend

	mu         sync.Mutex
	lifecycles map[string]bucketLifecycle // by bucket
}

// New returns an empty store.
func New(c *awsapi.Clock) *Store {
	backend := s3mem.New(s3mem.WithTimeSource(c))
	fake := gofakes3.New(backend, gofakes3.WithTimeSource(c), gofakes3.WithTimeSkewLimit(0))
	return &Store{fake: fake.Server(), backend: backend, lifecycles: map[string]bucketLifecycle{}}
}

// ObjectVersion returns the current version of an object, "" if there is none.
func (s *Store) ObjectVersion(bucket, key string) string {
	o, err := s.backend.HeadObject(bucket, key)
	if err != nil || o == nil || o.IsDeleteMarker {
		return ""
	}
	return string(o.VersionID)
}

// unknownSubresources are those that neither gofakes3 nor this package has.
var unknownSubresources = []string{
	"accelerate", "acl", "analytics", "attributes", "cors", "encryption", "intelligent-tiering", "inventory",
	"legal-hold", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus",
	"publicAccessBlock", "replication", "requestPayment", "restore", "retention", "select", "tagging", "torrent", "website",
}

// ServeHTTP answers one request of the S3 REST API.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if i := slices.IndexFunc(unknownSubresources, query.Has); i >= 0 {
		writeError(w, r, &apiError{http.StatusNotImplemented, "NotImplemented",
			"the sandbox does not know ?" + unknownSubresources[i]})
		return
	}
	asked := r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED"
	r, err := withPlainBody(w, r)
	if err != nil {
		writeError(w, r, err)
		return
	}
	if query.Has("lifecycle") {
		s.serveLifecycle(w, r)
		return
	}
	if r.Method == http.MethodHead && query.Has("versionId") {
		// gofakes3 looks at the newest version only.
		w = bodiless{w}
		r.Method = http.MethodGet
	}
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	answer := &objectAnswer{ResponseWriter: w, reading: reading, asked: asked, versionless: !s.hasVersions(Bucket(r))}
	s.fake.ServeHTTP(answer, r)
	answer.finish()
	if r.Method == http.MethodDelete && Key(r) == "" {
		s.forgetIfGone(Bucket(r))
	}
}

// hasVersions reports whether a bucket keeps versions or once did.
func (s *Store) hasVersions(bucket string) bool {
	versioned, ok := s.backend.(gofakes3.VersionedBackend)
	if !ok {
		return false
	}
	config, err := versioned.VersioningConfiguration(bucket)
	return err == nil && config.Status != ""
}

func (s *Store) forgetIfGone(bucket string) {
	if exists, err := s.backend.BucketExists(bucket); err != nil || exists {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lifecycles, bucket)
}

// withPlainBody reads the body, takes off the aws-chunked encoding and checks
// the checksums it came with. The headers that belong to the transfer and not
// to the object go, for gofakes3 keeps every x-amz- header as metadata.
func withPlainBody(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	body, sums, err := readBody(r)
	if err != nil {
		return r, err
	}
	r = r.Clone(r.Context())
	r.Body = readCloser{bytes.NewReader(body)}
	r.ContentLength = int64(len(body))
	if r.Method == http.MethodPut || r.URL.Query().Has("delete") {
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		if err := sums.verify(body); err != nil {
			return r, err
		}
		for name, value := range sums {
			w.Header().Set(name, value)
			r.Header.Set(name, value)
		}
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && !keptWithObject(name) {
			r.Header.Del(name)
		}
	}
	setEncoding(r.Header)
	return r, nil
}

func keptWithObject(header string) bool {
	switch header {
	case "X-Amz-Storage-Class", "X-Amz-Website-Redirect-Location", "X-Amz-Metadata-Directive", minimumSizeHeader:
		return true
	}
	_, sum := checksums[header]
	return sum || strings.HasPrefix(header, "X-Amz-Meta-") || strings.HasPrefix(header, "X-Amz-Copy-Source")
}

// setEncoding leaves the object's own Content-Encoding.
func setEncoding(h http.Header) {
	var own []string
	for _, e := range strings.Split(h.Get("Content-Encoding"), ",") {
		if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
			own = append(own, e)
		}
	}
	h.Del("Content-Encoding")
	if own != nil {
		h.Set("Content-Encoding", strings.Join(own, ","))
	}
}

// objectAnswer leaves an object's checksum out where S3 does: when the request
// does not ask for it, and from parts of an object. It also leaves out the
// version that gofakes3 gives to objects of buckets without versions.
type objectAnswer struct {
	http.ResponseWriter
	reading     bool // the request is for an object's content or headers
	asked       bool // and wants its checksum
	versionless bool // the bucket never kept versions
	begun       bool
}

// WriteHeader is where the headers are final.
func (a *objectAnswer) WriteHeader(status int) {
	if !a.begun && a.reading && (!a.asked || status != http.StatusOK) {
		for name := range checksums {
			a.Header().Del(name)
		}
	}
	if !a.begun && a.versionless {
		a.Header().Del("X-Amz-Version-Id")
	}
	a.begun = true
	a.ResponseWriter.WriteHeader(status)
}

// finish begins an answer without body or status, such as one to a HEAD.
func (a *objectAnswer) finish() {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
}

// Write makes an implicit status explicit.
func (a *objectAnswer) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(p)
}

// bodiless answers a HEAD with the answer to a GET, without its body.
type bodiless struct{ http.ResponseWriter }

func (b bodiless) Write(p []byte) (int, error) { return len(p), nil }

// apiError is an error of S3.
type apiError struct {
	status        int
	code, message string
}

func (e *apiError) Error() string { return fmt.Sprintf("%s: %s", e.code, e.message) }

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{http.StatusInternalServerError, "InternalError", err.Error()}
	}
	body, err := xml.Marshal(struct {
		XMLName  xml.Name `xml:"Error"`
		Code     string
		Message  string
		Resource string
	}{Code: e.code, Message: e.message, Resource: r.URL.Path})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.status)
	_, _ = w.Write(append([]byte(xml.Header), body...)) // the client has gone if this fails
}
