package sandbox

import (
	"net/http"
	"strings"
)

func s3Bucket(r *http.Request) string {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return bucket
}

func s3Key(r *http.Request) string {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return key
}

// s3Actions are told by method, whether there is a key, and the query
// parameter given; the first that fits counts.
var s3Actions = []struct {
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

// s3Action names a request after the API action it stands for, or its method.
func s3Action(r *http.Request) string {
	level := "service"
	switch {
	case s3Key(r) != "":
		level = "object"
	case s3Bucket(r) != "":
		level = "bucket"
	}
	if level == "object" && r.Header.Get("X-Amz-Copy-Source") != "" {
		return "CopyObject"
	}
	query := r.URL.Query()
	for _, a := range s3Actions {
		if a.method == r.Method && a.level == level && (a.query == "" || query.Has(a.query)) {
			return a.action
		}
	}
	return r.Method
}
