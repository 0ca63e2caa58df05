package cmd

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"slipway/internal/sandbox"
)

// TestFaultsThatPass lets the first request of every kind to every repository
// fail, one way at a time: the job ends as if nothing had been.
func TestFaultsThatPass(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) *buildFixture {
		s := newBuildFixture(t, "passing faults", sandbox.Options{})
		s.writeServices("passing faults", componentNames[:3]) // the fourth repository is yet to be made
		s.build("one", "--cache", "none").wait(exitDone)
		s.writeProject("passing faults, next")
		return s
	}
	calm := open(t)
	calm.build("two", "--cache", "none").wait(exitDone)
	want := calm.state()
	for _, c := range []struct {
		proxyFault proxyFault
		components []string
	}{
		{serverError, componentNames},
		// Each throttled call slows down those that follow: half of them at a time.
		{throttled, componentNames[:2]},
		{throttled, componentNames[2:]},
		{cutOff, componentNames},
		{answerLost, componentNames},
	} {
		t.Run(c.proxyFault.name+" "+strings.Join(c.components, ""), func(t *testing.T) {
			t.Parallel()
			s := open(t)
			first := &firsts{components: c.components, seen: map[request]int{}}
			s.proxy.set(&rule{match: first.match, treat: c.proxyFault.treat})
			s.build("two", "--cache", "none").wait(exitDone)
			first.wantAll(t)
			same(t, s.state(), want)
		})
	}
}

// firsts matches the first request of each kind, to no repository or to those of some
// components.
type firsts struct {
	components []string
	mu         sync.Mutex
	seen       map[request]int
}

func (f *firsts) match(q request) bool {
	if q.repository != "" && !slices.Contains(f.components, strings.TrimPrefix(q.repository, "shop/")) {
		return false
	}
	if !q.api {
		q.tag = "" // it is a digest
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[q]++
	return f.seen[q] == 1
}

// wantAll checks that each kind of request was made, and made again.
func (f *firsts) wantAll(t *testing.T) {
	t.Helper()
	want := []request{
		{action: "DescribeRepositories", api: true},
		{action: "GetAuthorizationToken", api: true},
	}
	for _, component := range f.components {
		repo := "shop/" + component
		if component == "d" {
			want = append(want, request{"CreateRepository", repo, "", true}, request{"PutLifecyclePolicy", repo, "", true})
		}
		for _, action := range []string{"GetLifecyclePolicy", "BatchGetImage", "DescribeImages"} {
			want = append(want, request{action, repo, "", true})
		}
		tags := []string{"two", "latest", "previous-latest"}
		if component == "d" {
			tags = tags[:2] // nothing of it ran
		}
		for _, tag := range tags {
			want = append(want, request{"PutImage", repo, tag, true})
		}
		for _, action := range []string{"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"} {
			want = append(want, request{action, repo, "", true}) // the recorded inputs
		}
		if component != "d" {
			want = append(want, request{"ListImageReferrers", repo, "", true}, request{"GetDownloadUrlForLayer", repo, "", true})
		}
		for _, action := range []string{"HEAD blob", "POST upload", "PUT upload", "PUT manifest"} {
			want = append(want, request{action, repo, "", false})
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range want {
		if f.seen[q] < 2 {
			t.Errorf("%+v was made %d times, want more than one", q, f.seen[q])
		}
	}
}

// step is a point at which a job can meet a fault that does not pass.
type step struct {
	action, repository, tag string
	codes                   []int
}

var (
	apiSteps = []step{
		{action: "DescribeRepositories", codes: []int{exitAWS}},
		{action: "GetLifecyclePolicy", repository: "shop/c", codes: []int{exitAWS}},
		{action: "BatchGetImage", repository: "shop/c", codes: []int{exitAWS}},
		{action: "GetAuthorizationToken", codes: []int{exitBuild, exitAWS}},
		{action: "PutImage", repository: "shop/c", tag: "two", codes: []int{exitAWS}},
		{action: "PutImage", repository: "shop/c", tag: "previous-latest", codes: []int{exitAWS}},
		{action: "PutImage", repository: "shop/c", tag: "latest", codes: []int{exitAWS}},
		{action: "DescribeImages", repository: "shop/c", codes: []int{exitAWS}},
	}
	// The engine tries each of these for seven seconds.
	registrySteps = []step{
		{action: "POST upload", repository: "shop/c", codes: []int{exitBuild}},
		{action: "PUT manifest", repository: "shop/c", codes: []int{exitBuild}},
	}
)

// TestFaultsThatStay finds all tags and definitions as they were.
func TestFaultsThatStay(t *testing.T) {
	t.Parallel()
	tagging := slices.DeleteFunc(slices.Clone(apiSteps), func(s step) bool { return s.action != "PutImage" && s.action != "DescribeImages" })
	for _, c := range []struct {
		proxyFault proxyFault
		steps      []step
	}{
		{serverError, apiSteps},
		{serverError, registrySteps[:1]},
		{serverError, registrySteps[1:]},
		{throttled, slices.Concat(tagging, registrySteps)},
		{cutOff, tagging},
		{answerLost, tagging},
	} {
		t.Run(c.proxyFault.name+" "+c.steps[0].action, func(t *testing.T) {
			t.Parallel()
			s := newBuildFixture(t, "staying faults", sandbox.Options{})
			s.build("zero", "--cache", "none").wait(exitDone)
			s.writeProject("staying faults, one")
			s.build("one", "--cache", "none").wait(exitDone)
			before := s.tags()
			policies := s.policies()
			for i, step := range c.steps {
				s.writeProject(fmt.Sprintf("staying faults, two, %d", i)) // nothing of it was pushed before
				r := &rule{match: on(step.action, step.repository, step.tag), treat: c.proxyFault.treat}
				s.proxy.set(r)
				job := s.build(slices.Concat(quick, []string{"two", "--cache", "none"})...)
				job.wait(step.codes...)
				s.proxy.set()
				if s.proxy.count(r) == 0 {
					t.Errorf("%+v: no such request", step)
				}
				same(t, s.tags(), before)
				same(t, s.policies(), policies)
				s.defines("one")
				if t.Failed() {
					t.Fatalf("after %+v the log is:\n%s", step, &job.stderr)
				}
				if job.stdout.Len() > 0 {
					t.Errorf("%+v: there is a result: %s", step, &job.stdout)
				}
			}
			s.build("two", "--cache", "none").wait(exitDone)
			s.complete("two", true)
		})
	}
}

// TestPolicyCannotBeWritten finds a build done although the lifecycle policy of one
// repository was refused: the images stay, and the next build writes it.
func TestPolicyCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "policy", sandbox.Options{})
	s.proxy.set(&rule{match: on("PutLifecyclePolicy", "shop/c", ""), treat: serverError.treat})
	s.build(append(slices.Clone(quick), "one")...).wait(exitDone).says("the lifecycle policy was not written, so images do not expire", "`slipway retention` writes it")
	s.proxy.set()
	s.complete("one", true)
	s.defines("one")
	if got := s.aws.Policy("shop/c"); got != "" {
		t.Errorf("shop/c has the policy %s", got)
	}
	if s.aws.Policy("shop/a") == "" {
		t.Error("shop/a has no policy")
	}
	s.build("one").wait(exitDone)
	if s.aws.Policy("shop/c") == "" {
		t.Error("the same command again wrote no policy")
	}
}

// TestRerunAfterAPartialUndo refuses latest of c, and the way back of latest of b. The
// same command again ends as if nothing had happened: deployed points to what latest left.
func TestRerunAfterAPartialUndo(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "partial undo", sandbox.Options{})
	s.build("one").wait(exitDone)
	s.writeProject("partial undo, two")
	s.build("two").wait(exitDone)
	before := s.tags()
	s.writeProject("partial undo, three")
	moved := newGate(t, true)
	s.proxy.set(
		&rule{match: on("PutImage", "shop/b", "latest"), times: 1, treat: func(w http.ResponseWriter, q request, forward func(http.ResponseWriter)) {
			forward(w)
			moved.release(true)
		}},
		&rule{match: on("PutImage", "shop/b", "latest"), treat: serverError.treat},
		&rule{match: on("PutImage", "shop/c", "latest"), treat: func(w http.ResponseWriter, q request, forward func(http.ResponseWriter)) {
			<-moved.open // b is to have moved when c fails
			serverError.treat(w, q, forward)
		}},
	)
	s.build(append(slices.Clone(quick), "three")...).wait(exitAWS).says("not all tags could be reverted:", "shop/b:latest points to", "shop/b:previous-latest points to")
	s.proxy.set()
	s.build("three").wait(exitDone)
	s.complete("three", true)
	for _, component := range componentNames {
		if got, want := s.tags()["shop/"+component+":previous-latest"], before["shop/"+component+":latest"]; got != want {
			t.Errorf("%s: deployed points to %s, want what latest left, %s", component, got, want)
		}
	}
}

func (s *buildFixture) policies() map[string]string {
	out := map[string]string{}
	for _, repo := range s.aws.Repositories() {
		out[repo] = s.aws.Policy(repo)
	}
	return out
}

// TestUndoFails lets the taking back fail too: the error says what stands where.
func TestUndoFails(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "undo", sandbox.Options{})
	s.build("zero").wait(exitDone)
	s.writeProject("undo, one")
	s.build("one").wait(exitDone)
	before := s.tags()
	s.writeProject("undo, two")
	s.proxy.set(
		&rule{match: on("DescribeImages", "", ""), treat: serverError.treat},
		// The second one is the way back.
		&rule{match: on("PutImage", "shop/b", "latest"), skip: 1, treat: serverError.treat},
	)
	r := s.build(append(slices.Clone(quick), "two")...).wait(exitAWS)
	after := s.tags()
	r.says("not all tags could be reverted:", "shop/b:latest points to "+after["shop/b:latest"]+", pointed to "+before["shop/b:latest"]+" before",
		"shop/b:previous-latest points to "+before["shop/b:latest"])
	if strings.Contains(r.stderr.String(), "shop/a:latest points") {
		t.Error("more is said to be left than is")
	}
	// A job run again must find there what latest pointed to.
	before["shop/b:previous-latest"] = before["shop/b:latest"]
	before["shop/b:latest"] = after["shop/b:latest"]
	same(t, after, before)
}
