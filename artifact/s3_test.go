package artifact

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"slipway/internal/testkit"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bucket is an S3 bucket named "bucket" with objects, versions and lifecycle
// rules, as far as the real client asks for them.
type bucket struct {
	mu        sync.Mutex
	objects   map[string]string
	types     map[string]string
	lifecycle string // the XML as it was put
	minSize   string // x-amz-transition-default-minimum-object-size
	puts      int    // of the lifecycle rules
	refuse    string // an error code for every request
}

func newBucket(t *testing.T) (*bucket, *s3.Client) {
	t.Helper()
	b := &bucket{objects: map[string]string{}, types: map[string]string{}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return b, s3.NewFromConfig(testkit.AWSConfig(server.URL))
}

const minSizeHeader = "X-Amz-Transition-Default-Minimum-Object-Size"

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	_, isLifecycle := r.URL.Query()["lifecycle"]
	switch {
	case err != nil || b.refuse != "":
		refuse(w, http.StatusForbidden, b.refuse)
	case isLifecycle && r.Method == http.MethodGet && b.lifecycle == "":
		refuse(w, http.StatusNotFound, "NoSuchLifecycleConfiguration")
	case isLifecycle && r.Method == http.MethodGet:
		w.Header().Set(minSizeHeader, b.minSize)
		fmt.Fprint(w, b.lifecycle)
	case isLifecycle && r.Method == http.MethodPut:
		b.lifecycle, b.minSize = string(body), r.Header.Get(minSizeHeader)
		b.puts++
	case r.Method == http.MethodPut:
		b.putObject(w, r, body)
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func (b *bucket) putObject(w http.ResponseWriter, r *http.Request, body []byte) {
	sum := sha256.Sum256(body)
	if r.Header.Get("X-Amz-Checksum-Sha256") != base64.StdEncoding.EncodeToString(sum[:]) {
		refuse(w, http.StatusBadRequest, "BadDigest")
		return
	}
	b.objects[r.URL.Path], b.types[r.URL.Path] = string(body), r.Header.Get("Content-Type")
	w.Header().Set("ETag", `"tag"`)
	w.Header().Set("X-Amz-Version-Id", fmt.Sprintf("version-%d", len(b.objects)))
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>no</Message></Error>`, code)
}
