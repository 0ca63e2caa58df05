package s3

import (
	"net/http"
	"strings"
)

// Bucket returns the bucket of a request, "" if it names none.
func Bucket(r *http.Request) string {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return bucket
}

// Key returns the key of the object of a request, "" if it names none.
func Key(r *http.Request) string {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return key
}

// actions are distinguished by the method, by whether there is a key, and by a
// query parameter; the first match counts.
var actions = []struct {
	method, level, query, action string
}{
	{"PUT", "bucket", "lifecycle", "PutBucketLifecycleConfiguration"},
	{"GET", "bucket", "lifecycle", "GetBucketLifecycleConfiguration"},
	{"DELETE", "bucket", "lifecycle", "DeleteBucketLifecycle"},
	{"PUT", "bucket", "versioning", "PutBucketVersioning"},
	{"GET", "bucket", "versioning", "GetBucketVersioning"},
	{"GET", "bucket", "versions", "ListObjectVersions"},
	{"GET", "bucket", "uploads", "ListMultipartUploads"},
	{"GET", "bucket", "location", "GetBucketLocation"},
	{"POST", "bucket", "delete", "DeleteObjects"},
	{"GET", "bucket", "list-type", "ListObjectsV2"},
	{"GET", "bucket", "", "ListObjects"},
	{"PUT", "bucket", "", "CreateBucket"},
	{"HEAD", "bucket", "", "HeadBucket"},
	{"DELETE", "bucket", "", "DeleteBucket"},
	{"POST", "object", "uploads", "CreateMultipartUpload"},
	{"POST", "object", "uploadId", "CompleteMultipartUpload"},
	{"PUT", "object", "uploadId", "UploadPart"},
	{"DELETE", "object", "uploadId", "AbortMultipartUpload"},
	{"GET", "object", "uploadId", "ListParts"},
	{"GET", "object", "", "GetObject"},
	{"HEAD", "object", "", "HeadObject"},
	{"PUT", "object", "", "PutObject"},
	{"DELETE", "object", "", "DeleteObject"},
	{"GET", "service", "", "ListBuckets"},
}

// Action returns the API action of a request, or its method if it has none.
func Action(r *http.Request) string {
	level := "service"
	switch {
	case Key(r) != "":
		level = "object"
	case Bucket(r) != "":
		level = "bucket"
	}
	if level == "object" && r.Header.Get("X-Amz-Copy-Source") != "" {
		return "CopyObject"
	}
	query := r.URL.Query()
	for _, a := range actions {
		if a.method == r.Method && a.level == level && (a.query == "" || query.Has(a.query)) {
			return a.action
		}
	}
	return r.Method
}
