package cmd

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/registry"
	"slipway/registry/referrers"
)

// records is the text of the recorded inputs of the image that a tag points to.
func (s *buildFixture) records(repo, tag string) []string {
	s.t.Helper()
	clients := func(string) *ecr.Client { return testkit.ECRClient(s.aws.URL(), "us-east-1") }
	found, _, err := registry.Find(s.t.Context(), clients, []registry.Ref{{Name: repo}})
	if err != nil {
		s.t.Fatal(err)
	}
	where := found[registry.Ref{Name: repo}]
	artifacts, err := referrers.List(s.t.Context(), clients(""), where, s.aws.Tags(repo)[tag])
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, a := range artifacts {
		document, err := referrers.Read(s.t.Context(), clients(""), where, a)
		if err != nil {
			s.t.Fatal(err)
		}
		zipped, err := gzip.NewReader(strings.NewReader(string(document)))
		if err != nil {
			s.t.Fatal(err)
		}
		text, err := io.ReadAll(zipped)
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return out
}

// explaining are the requests that name what changed and record the inputs.
var explaining = []struct {
	name  string
	match func(request) bool
	// reads reports that the request does not record inputs, and tagged that it is sent
	// when all tags have moved. The others are sent while they move.
	reads, tagged bool
}{
	{"ListImageReferrers", on("ListImageReferrers", "", ""), true, false},
	{"GetDownloadUrlForLayer", on("GetDownloadUrlForLayer", "", ""), true, false},
	{"GET blob", func(q request) bool { return q.action == "GET blob" }, true, false},
	{"InitiateLayerUpload", on("InitiateLayerUpload", "", ""), false, false},
	{"UploadLayerPart", on("UploadLayerPart", "", ""), false, false},
	{"CompleteLayerUpload", on("CompleteLayerUpload", "", ""), false, false},
	{"PutImage of an artifact", func(q request) bool { return q.action == "PutImage" && q.tag == "" }, false, true},
}

// explains counts the requests since the last reset that explain builds, without
// PutImage. The engine of these tests reads no blob.
func (s *buildFixture) explains() (reads, uploads int) {
	for _, c := range s.aws.Calls() {
		switch c.Action {
		case "ListImageReferrers", "GetDownloadUrlForLayer", "GET blob":
			reads++
		case "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload":
			uploads++
		}
	}
	return reads, uploads
}

// TestWhy names what changed against the image that latest points to, and counts
// the requests for it.
func TestWhy(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "why", sandbox.Options{})
	s.write("b/Dockerfile", "FROM scratch AS unpacked\nCOPY . /\nFROM scratch\nCOPY --from=unpacked /file /file\n")
	s.build("one").wait(exitDone).says("a: new: no image yet", "d: new: no image yet")
	s.aws.ResetCalls()
	s.build("two").wait(exitDone).says("a: unchanged since one")
	if reads, uploads := s.explains(); reads+uploads > 0 {
		t.Errorf("an unchanged build took %d requests to explain, and %d to record", reads, uploads)
	}
	s.write("a/file", "a changed")
	s.aws.ResetCalls()
	put := &rule{match: explaining[len(explaining)-1].match, treat: func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) { forward(w) }}
	s.proxy.set(put)
	s.build("three").wait(exitDone).says("a: changed: file", "b: unchanged")
	if reads, uploads := s.explains(); reads != 3 || uploads+s.proxy.count(put) != 4 {
		t.Errorf("a changed component took %d requests to explain and %d to record, want 3 and 4: %v", reads, uploads+s.proxy.count(put), s.aws.Calls())
	}
	s.proxy.set()

	// The image of b stays the same: it keeps one record, the newest.
	for _, text := range []string{"first", "second"} {
		s.write("b/README", text)
		s.build("notes-" + text).wait(exitDone).says("b: changed: README")
	}
	if tags := s.tags(); tags["shop/b:notes-second"] != tags["shop/b:one"] {
		t.Error("the image of b is another one: this test proves nothing")
	}
	if got := s.records("shop/b", "latest"); len(got) != 1 {
		t.Errorf("the image of b has the records %v, want one", got)
	}
	s.write("b/file", "b changed")
	s.build("four").wait(exitDone).says("b: changed: file\n")

	// A revision that is back is compared with its own record.
	s.write("a/file", "a why")
	s.build("five").wait(exitDone).says("a: unchanged since")
	s.write("a/more", "not copied")
	s.write("a/Dockerfile", "FROM scratch\nCOPY file more /\n")
	s.build("six").wait(exitDone).says("a: changed: more, Dockerfile")
}

// TestWhyWithoutRecords says so where the image before has none, as images of
// older versions.
func TestWhyWithoutRecords(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "no records", sandbox.Options{})
	s.proxy.set(&rule{match: on("InitiateLayerUpload", "", ""), treat: serverError.treat})
	s.build(append(slices.Clone(quick), "one")...).wait(exitDone)
	s.proxy.set()
	s.write("a/file", "a changed")
	s.build("two").wait(exitDone).says("a: changed; the inputs of the image before are not recorded")
	s.write("a/file", "a changed again")
	s.build("three").wait(exitDone).says("a: changed: file")
}

// TestExplainingFails lets each request fail that only explains: the build ends
// as if nothing had been, without a warning, and so does the next one.
func TestExplainingFails(t *testing.T) {
	t.Parallel()
	denied := proxyFault{"denied", func(w http.ResponseWriter, q request, _ func(http.ResponseWriter)) {
		writeFault(w, q, http.StatusBadRequest, "AccessDeniedException", "DENIED")
	}}
	for _, fault := range []proxyFault{serverError, throttled, denied, cutOff, answerLost, truncated, emptied, garbage} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			s := newBuildFixture(t, "explaining", sandbox.Options{})
			s.build("zero").wait(exitDone)
			for i, step := range explaining {
				hash := fmt.Sprint("hash", i)
				s.writeProject("explaining, " + hash)
				r := &rule{match: step.match, treat: fault.treat}
				s.proxy.set(r)
				job := s.build(append(slices.Clone(quick), hash)...).wait(exitDone)
				if s.proxy.count(r) == 0 {
					t.Errorf("%s: no such request", step.name)
				}
				s.proxy.set()
				s.complete(hash, true)
				s.defines(hash)
				if warnings := job.warnings(); len(warnings) > 0 {
					t.Errorf("%s: there are warnings: %v", step.name, warnings)
				}
				if t.Failed() {
					t.Fatalf("after %s the log is:\n%s", step.name, &job.stderr)
				}
			}
			s.reuses("last")
		})
	}
}

// TestKilledWhileRecording ends a job with SIGKILL at each request that records
// inputs, whether the request arrives afterwards or not.
func TestKilledWhileRecording(t *testing.T) {
	t.Parallel()
	for _, step := range explaining {
		if step.reads {
			continue
		}
		for _, arrives := range []bool{false, true} {
			t.Run(fmt.Sprint(step.name, " ", arrives), func(t *testing.T) {
				t.Parallel()
				s := newBuildFixture(t, "kill records", sandbox.Options{})
				g := newGate(t, false)
				s.proxy.set(&rule{match: step.match, skip: 1, treat: g.treat})
				r := s.startBuild("one")
				r.meets(g)
				r.signal(syscall.SIGKILL)
				r.wait(-1)
				g.release(arrives)
				s.proxy.set()
				if step.tagged {
					s.complete("one", true)
					s.build(noEngine, "one").wait(exitDone)
				} else {
					s.build("one").wait(exitDone)
					s.complete("one", true)
				}
				s.defines("one")
				s.writeProject("kill records, next")
				s.build("two").wait(exitDone).says("a: changed")
				s.complete("two", true)
				if got := s.records("shop/a", "latest"); len(got) != 1 {
					t.Errorf("a has the records %v, want one", got)
				}
			})
		}
	}
}

// TestNoSecretIsRecorded plants secrets in build arguments, also in one that the
// Dockerfile does not use, and in a build secret.
func TestNoSecretIsRecorded(t *testing.T) {
	t.Parallel()
	const planted = "hunter2-was-planted"
	s := newBuildFixture(t, "secrets", sandbox.Options{})
	s.write("compose.yaml", "name: shop\nservices:\n  a: {build: {context: ./a, args: {TOKEN: \"${TOKEN}\", UNUSED: \"${TOKEN}\"}, secrets: [key]}}\nsecrets: {key: {environment: TOKEN}}\n")
	s.write("a/Dockerfile", "FROM scratch\nARG TOKEN\nENV SEEN=$TOKEN\nCOPY file /file\n")
	s.build("TOKEN="+planted, "one").wait(exitDone)
	texts := s.records("shop/a", "latest")
	if len(texts) != 1 || !strings.Contains(texts[0], `"TOKEN"`) || !strings.Contains(texts[0], `"file"`) {
		t.Fatalf("the records are %v, want one that names TOKEN and file", texts)
	}
	for _, text := range texts {
		if strings.Contains(text, planted) {
			t.Errorf("the record has the secret: %s", text)
		}
	}
	s.build("TOKEN="+planted+"-next", "two").wait(exitDone).says("a: changed: argument TOKEN, argument UNUSED\n")
}

// TestUntrustedRecordsNothing lets an untrusted build read what trusted ones
// recorded, and record nothing itself.
func TestUntrustedRecordsNothing(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "untrusted records", sandbox.Options{})
	s.build("one").wait(exitDone)
	s.write("b/file", "b of a stranger")
	s.aws.ResetCalls()
	s.start("build", "--untrusted", "--project-name", "shop", "--hash", "request").wait(exitDone).says("a: unchanged", "b: changed: file")
	if reads, uploads := s.explains(); reads != 3 || uploads != 0 {
		t.Errorf("it took %d requests to explain and %d to record, want 3 and none", reads, uploads)
	}
	s.write("b/file", "b of a friend")
	s.build("two").wait(exitDone).says("b: changed: file")
}
