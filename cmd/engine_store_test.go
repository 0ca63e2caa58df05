package cmd

import (
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"slipway/internal/dockertest"
	"slipway/internal/sandbox"
)

// dockerStoreFixture is a buildFixture on a Docker engine of its own whose BuildKit
// cannot push, with a directory for temporary files.
type dockerStoreFixture struct {
	*buildFixture
	docker *client.Client
	tmp    string
}

func newDockerStoreFixture(t *testing.T, seed string) *dockerStoreFixture {
	t.Helper()
	e := dockertest.Start(t, dockertest.CurrentClassic)
	s := &dockerStoreFixture{buildFixture: newBuildFixtureOn(t, seed, sandbox.Options{}, ""), docker: e.Docker(t), tmp: t.TempDir()}
	s.buildFixture.env = append(s.buildFixture.env, "BUILDKIT_HOST=", "DOCKER_HOST="+e.Host, "SLIPWAY_ENGINE=docker", "TMPDIR="+s.tmp)
	return s
}

// images are the names in the engine's store that Slipway gave.
func (s *dockerStoreFixture) images() []string {
	s.t.Helper()
	list, err := s.docker.ImageList(s.t.Context(), client.ImageListOptions{All: true})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, image := range list.Items {
		out = append(out, image.RepoTags...)
	}
	slices.Sort(out)
	return slices.DeleteFunc(out, func(name string) bool { return !strings.HasPrefix(name, "slipway.invalid/") })
}

// clean checks that nothing is left of a job: no image, no file.
func (s *dockerStoreFixture) clean() {
	s.t.Helper()
	if left := s.images(); len(left) > 0 {
		s.t.Errorf("left in the engine: %q", left)
	}
	entries, err := os.ReadDir(s.tmp)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		s.t.Errorf("left of the job: %s", e.Name())
	}
}

func denied(w http.ResponseWriter, q request, _ func(http.ResponseWriter)) {
	writeFault(w, q, http.StatusForbidden, "AccessDeniedException", "DENIED")
}

// Pushes out of an engine's store are tried again, refused, interrupted and killed like
// the engines' own.
func TestPushFromStore(t *testing.T) {
	t.Parallel()
	s := newDockerStoreFixture(t, "store")
	s.proxy.set(&rule{match: on("PUT manifest", "shop/b", ""), treat: throttled.treat, times: 2})
	r := s.build("one")
	r.wait(exitDone).says("push attempt 2 of b failed, trying again", "TOOMANYREQUESTS")
	s.complete("one", true)
	s.clean()

	// What comes out again is in the repository: it is neither read back nor pushed.
	one := s.tags()
	s.write("b/file", "b changed")
	r = s.build("again").wait(exitDone)
	for _, component := range componentNames {
		pushed := strings.Contains(r.stderr.String(), component+" | pushing ")
		if pushed != (component == "b") {
			t.Errorf("%s: pushed %v", component, pushed)
		}
		if same := s.tags()["shop/"+component+":again"] == one["shop/"+component+":one"]; same != (component != "b") {
			t.Errorf("%s: again is the digest of one: %v, want %v, in %v", component, same, component != "b", s.tags())
		}
	}

	// A failure on this host is no push that could be tried again.
	s.write("b/file", "b changed again")
	r = s.build("TMPDIR=/no/such/place", "nowhere").wait(exitBuild)
	r.says("building b: reading the image back from the engine into /no/such/place, which takes room")
	if strings.Contains(r.stderr.String(), "attempt") {
		t.Errorf("it was tried again:\n%s", &r.stderr)
	}
	s.clean()

	// Refused: told, nothing moved, nothing left.
	before := s.tags()
	s.writeProject("store again")
	s.proxy.set(&rule{match: on("PUT manifest", "shop/c", ""), treat: denied})
	s.build("two").wait(exitBuild).says("pushing c: ", "said the proxy", "no tag was moved")
	same(t, s.tags(), before)
	s.clean()

	// Interrupted in the middle of a push.
	s.writeProject("store a third time")
	g := newGate(t, false)
	s.proxy.set(&rule{match: on("PUT manifest", "shop/d", ""), treat: g.treat})
	r = s.startBuild("two")
	r.meets(g)
	r.signal(syscall.SIGTERM)
	g.release(false)
	r.wait(exitInterrupted)
	same(t, s.tags(), before)
	s.clean()

	// Killed: what is left goes with a later job.
	s.writeProject("store a fourth time")
	g = newGate(t, false)
	s.proxy.set(&rule{match: on("PUT manifest", "shop/d", ""), treat: g.treat})
	r = s.startBuild("two")
	r.meets(g)
	r.signal(syscall.SIGKILL)
	<-r.ended
	g.release(false)
	left := s.images()
	if len(left) == 0 {
		t.Fatal("nothing was left: the test proves nothing")
	}
	s.proxy.set()
	s.build("two").wait(exitDone)
	s.complete("two", true)
	if got := s.images(); !slices.Equal(got, left) {
		t.Errorf("a job that may still run lost its images: %q, had %q", got, left)
	}
	s.age(left)
	s.build("two", "--rebuild").wait(exitDone)
	if got := s.images(); len(got) > 0 {
		t.Errorf("left of a job of long ago: %q", got)
	}
}

// age gives images the names that they would have had if the job had run two days ago.
func (s *dockerStoreFixture) age(names []string) {
	s.t.Helper()
	for i, name := range names {
		old := "slipway.invalid/build:" + strconv.FormatInt(time.Now().Add(-48*time.Hour).Unix()+int64(i), 10) + "-x"
		if _, err := s.docker.ImageTag(s.t.Context(), client.ImageTagOptions{Source: name, Target: old}); err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.docker.ImageRemove(s.t.Context(), name, client.ImageRemoveOptions{}); err != nil {
			s.t.Fatal(err)
		}
	}
}
