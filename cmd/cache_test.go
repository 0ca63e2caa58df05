package cmd

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// hush are credentials that must be seen nowhere but in requests to S3.
var hush = []string{"AWS_ACCESS_KEY_ID=AKIAHUSHHUSHHUSH", "AWS_SECRET_ACCESS_KEY=hush-secret-key", "AWS_SESSION_TOKEN=hush-session-token"}

// silent checks that no part of the credentials was said.
func (r *process) silent() {
	r.t.Helper()
	for _, v := range hush {
		_, secret, _ := strings.Cut(v, "=")
		for what, text := range map[string]string{"stdout": r.stdout.String(), "stderr": r.stderr.String()} {
			if strings.Contains(text, secret) {
				r.t.Errorf("%s holds %s:\n%s", what, secret, text)
			}
		}
	}
}

// warnings are the lines of warnings.
func (r *process) warnings() []string {
	var out []string
	for line := range strings.Lines(r.stderr.String()) {
		if strings.HasPrefix(line, "WARNING:") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// warns checks that there is one warning, which holds the texts; none without texts.
func (r *process) warns(texts ...string) {
	r.t.Helper()
	got := r.warnings()
	if len(texts) == 0 && len(got) == 0 {
		return
	}
	ok := len(got) == min(1, len(texts))
	for _, text := range texts {
		ok = ok && strings.Contains(got[0], text)
	}
	if !ok {
		r.t.Errorf("warnings %q, want one with %q", got, texts)
	}
}

// CacheOnS3 builds with a cache on S3 and everything that can be said.
func (s *buildFixture) onS3(url, hash string, more ...string) *process {
	s.t.Helper()
	args := []string{hash, "--cache", url, "--log-level", "debug"}
	if slices.Contains(more, "--rebuild") {
		args = append(args, "--rebuild")
		more = slices.DeleteFunc(slices.Clone(more), func(s string) bool { return s == "--rebuild" })
	}
	r := s.build(slices.Concat(hush, more, args)...)
	r.silent()
	return r
}

// keys are those of a bucket.
func (s *buildFixture) keys(bucket string) []string {
	s.t.Helper()
	out, err := s.s3().ListObjectsV2(s.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	if err != nil {
		s.t.Fatal(err)
	}
	var keys []string
	for _, o := range out.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

func (s *buildFixture) s3() *s3.Client {
	return s3.NewFromConfig(testkit.AWSConfig(s.aws.URL()))
}

func (s *buildFixture) makeBucket(name string) {
	s.t.Helper()
	if _, err := s.s3().CreateBucket(s.t.Context(), &s3.CreateBucketInput{Bucket: aws.String(name)}); err != nil {
		s.t.Fatal(err)
	}
}

// TestS3Cache: what one host leaves on S3, an empty one builds from, without moving layers
// that the registry has. The credentials are passed and stay unseen.
func TestS3Cache(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t)
	s := newBuildFixtureOn(t, "s3", sandbox.Options{}, e.Addr)
	s.makeBucket("stock")
	s.onS3("s3://stock/layers", "one").wait(exitDone).warns()
	keys := s.keys("stock")
	for _, component := range componentNames {
		if !slices.Contains(keys, "layers/manifests/shop/"+component) {
			t.Errorf("no cache of %s: %v", component, keys)
		}
	}
	if tags := s.tags(); tags["shop/a:buildcache"] != "" {
		t.Errorf("a cache in the repository: %v", tags)
	}
	e.Empty(t)
	s.aws.ResetCalls()
	r := s.onS3("s3://stock/layers/", "two", "--rebuild").wait(exitDone)
	r.warns()
	for _, component := range componentNames {
		r.says(component + " | [1/1] COPY file /file (cached)")
	}
	for _, c := range s.aws.Calls() {
		if c.Service == "registry" && (c.Action == "POST upload" || c.Action == "GET blob") {
			t.Errorf("%s in %s", c.Action, c.Repository)
		}
		if c.Service == "s3" && c.Action == "GetObject" && strings.Contains(c.Reference, "/blobs/") || c.Service == "s3" && c.Action == "PutObject" && strings.Contains(c.Reference, "/blobs/") {
			t.Errorf("%s of %s", c.Action, c.Reference)
		}
	}
	tags := s.tags()
	for _, component := range componentNames {
		if tags["shop/"+component+":one"] != tags["shop/"+component+":two"] {
			t.Errorf("%s changed", component)
		}
	}

	// A step that runs on a layer that S3 has lost is built from the start.
	for _, key := range s.keys("stock") {
		if strings.Contains(key, "/blobs/") {
			if _, err := s.s3().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("stock"), Key: aws.String(key)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	e.Empty(t)
	s.write("a/Dockerfile", "FROM scratch\nCOPY file /file\nCOPY file /again\n")
	s.onS3("s3://stock/layers", "three").wait(exitDone).warns("could not be read for a (")
}

// TestS3CacheRefused: a cache on S3 that is not there, forbidden or out of reach fails no
// build, and is one warning.
func TestS3CacheRefused(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "s3 refused", sandbox.Options{})
	s.makeBucket("closed")
	all := strings.Join(componentNames, ", ")
	s.onS3("s3://nowhere/layers", "one").wait(exitDone).warns("could not be read for "+all+" (operation error S3: GetObject, api error NoSuchBucket: ", "nor written for "+all)
	forbidden := proxyFault{"403", func(w http.ResponseWriter, _ request, _ func(http.ResponseWriter)) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"))
	}}
	s.writeProject("s3 refused again")
	s.proxy.set(&rule{match: func(q request) bool { return strings.Contains(q.action, " /closed/") }, treat: forbidden.treat})
	s.onS3("s3://closed/layers", "two").wait(exitDone).warns("could not be read for "+all, "nor written for "+all, "AccessDenied")
	s.proxy.set()
	s.writeProject("s3 refused once more")
	s.onS3("s3://closed/layers", "three", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:1").wait(exitDone).warns("could not be read for "+all, "nor written for "+all)
	s.onS3("s3://closed/layers", "four").wait(exitDone).warns()
	s.complete("four", true)
}

// TestRegistryCacheRefused is the same for the caches in the repositories.
func TestRegistryCacheRefused(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "cache refused", sandbox.Options{})
	s.build("one", "--cache", "registry").wait(exitDone).warns()
	for i, f := range []proxyFault{serverError, {"403", func(w http.ResponseWriter, q request, _ func(http.ResponseWriter)) {
		writeFault(w, q, http.StatusForbidden, "", "DENIED")
	}}} {
		s.writeProject("cache refused " + f.name)
		s.proxy.set(&rule{match: on("HEAD manifest", "", "buildcache"), treat: f.treat}, &rule{match: on("GET manifest", "", "buildcache"), treat: f.treat}, &rule{match: on("PUT manifest", "", "buildcache"), treat: f.treat})
		all := strings.Join(componentNames, ", ")
		s.build([]string{"two", "three"}[i], "--cache", "registry").wait(exitDone).warns("could not be read for "+all, "nor written for "+all)
	}
}

// TestOwnEngineHasCredentials: a managed engine gets credentials with the requests that
// need them, for its environment has none.
func TestOwnEngineHasCredentials(t *testing.T) {
	t.Parallel()
	enginetest.Require(t)
	s := newBuildFixtureOn(t, "s3 own", sandbox.Options{}, "")
	s.makeBucket("stock")
	state, err := os.MkdirTemp("", "own") // a short path, for a socket is in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(state) })
	tools, err := filepath.Abs("../.tools/bin")
	if err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + tools + string(os.PathListSeparator) + os.Getenv("PATH")
	s.onS3("s3://stock", "one", path, "SLIPWAY_ENGINE=managed", "SLIPWAY_ENGINE_STATE="+state).wait(exitDone).warns()
	if keys := s.keys("stock"); !slices.Contains(keys, "manifests/shop/a") {
		t.Errorf("no cache: %v", keys)
	}
}

// TestCacheOutlivesRetention: the cache stays while its tag is on it; one that a newer
// export took the tag of goes with the rest.
func TestCacheOutlivesRetention(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "cache kept", sandbox.Options{})
	s.build("one", "--cache", "registry").wait(exitDone)
	old := s.tags()["shop/a:buildcache"]
	s.writeProject("cache kept, changed")
	s.build("two", "--cache", "registry").wait(exitDone)
	now := s.tags()["shop/a:buildcache"]
	has := func(digest string) bool { return slices.Contains(s.aws.Digests("shop/a"), digest) }
	if old == "" || old == now || !has(old) {
		t.Fatalf("the cache was %s and is %s", old, now)
	}
	s.aws.Advance(6 * 24 * time.Hour)
	if !has(old) {
		t.Error("the old cache is gone before its time")
	}
	s.aws.Advance(2 * 24 * time.Hour)
	if has(old) || !has(now) || s.tags()["shop/a:buildcache"] != now {
		t.Errorf("after eight days: old %v, new %v, tags %v", has(old), has(now), s.tags())
	}
}

// TestCacheOfEachPlatform: engines that share the work by platform do not overwrite each
// other's cache, neither in the repository nor on S3.
func TestCacheOfEachPlatform(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t)
	s := newBuildFixtureOn(t, "platforms", sandbox.Options{}, "linux/amd64="+e.Addr+",linux/arm64="+e.Addr)
	s.makeBucket("stock")
	s.write("compose.yaml", "name: shop\nservices: {a: {build: {context: ./a, platforms: [linux/amd64, linux/arm64]}}}\n")
	s.write("a/Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /file\n")
	s.write("a/amd64", "for one")
	s.write("a/arm64", "for the other")
	s.build("one", "--cache", "registry").wait(exitDone).warns()
	tags := s.tags()
	amd, arm := tags["shop/a:buildcache-linux-amd64"], tags["shop/a:buildcache-linux-arm64"]
	if amd == "" || arm == "" || amd == arm || tags["shop/a:buildcache"] != "" {
		t.Fatalf("tags %v", tags)
	}
	cached := func(r *process) {
		t.Helper()
		r.says("COPY amd64 /file (cached)", "COPY arm64 /file (cached)")
	}
	e.Empty(t)
	r := s.build("two", "--cache", "registry", "--rebuild").wait(exitDone)
	r.warns()
	cached(r)
	s.onS3("s3://stock/", "three", "--rebuild").wait(exitDone).warns()
	for _, key := range []string{"manifests/shop/a-linux-amd64", "manifests/shop/a-linux-arm64"} {
		if keys := s.keys("stock"); !slices.Contains(keys, key) {
			t.Errorf("no %s in %v", key, keys)
		}
	}
	e.Empty(t)
	r = s.onS3("s3://stock/", "four", "--rebuild").wait(exitDone)
	r.warns()
	cached(r)
}
