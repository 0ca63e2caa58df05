package display

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
)

// TestPlainDisplay shows steps and their output behind the service's name, and keeps
// quiet about what BuildKit does for itself.
func TestPlainDisplay(t *testing.T) {
	var out bytes.Buffer
	s := testScreen(&out)
	d := newPlainDisplay(s, []string{"api", "express"})
	start := time.Unix(0, 0)
	at := func(seconds float64) *time.Time {
		u := start.Add(time.Duration(seconds * float64(time.Second)))
		return &u
	}
	vertex := func(name string, cached bool, end *time.Time, err string) *client.Vertex {
		return &client.Vertex{Digest: digest.FromString(name), Name: name, Started: &start, Completed: end, Cached: cached, Error: err}
	}
	show := func(service string, vs []*client.Vertex, logs ...string) {
		s := &client.SolveStatus{Vertexes: vs}
		for _, l := range logs {
			s.Logs = append(s.Logs, &client.VertexLog{Vertex: vs[0].Digest, Data: []byte(l)})
		}
		d.Status(service, s)
	}
	show("api", []*client.Vertex{vertex("[internal] load build context", false, at(1), "")})
	show("api", []*client.Vertex{vertex("[context shared] load from client", false, at(1), "")})
	show("api", []*client.Vertex{vertex("importing cache manifest from r:buildcache", false, at(1), "failed: r:buildcache: not found")})
	show("api", []*client.Vertex{vertex("importing cache manifest from r:buildcache2", false, at(1), "denied")})
	show("express", []*client.Vertex{vertex("[1/2] COPY . .", true, at(1), "")})
	run := vertex("[2/2] RUN npm ci", false, nil, "")
	show("express", []*client.Vertex{run}, "\x1b[1;32madded\x1b[0m 3 packages\x1b[K\nfunding", " message\r\n10%\r20%\rdone\n", "no newline")
	show("express", []*client.Vertex{vertex(run.Name, false, at(12.34), "")})
	show("express", []*client.Vertex{vertex(run.Name, false, at(12.34), "")})
	show("api", []*client.Vertex{vertex("RUN false", false, at(1), "exit code: 1\nsecond line")})
	show("api", []*client.Vertex{vertex("RUN "+strings.Repeat("é", 300), false, at(1), "")})
	d.Retrying("api", 2, 1500*time.Millisecond, errUnknown)
	d.Close()
	want := `api     | importing cache manifest from r:buildcache2: denied
express | [1/2] COPY . . (cached)
express | [2/2] RUN npm ci
express |   added 3 packages
express |   funding message
express |   done
express |   no newline
express | [2/2] RUN npm ci (12.3s)
api     | RUN false: exit code: 1 second line
api     | RUN ` + strings.Repeat("é", 195) + `…
WARNING: push attempt 2 of api failed, trying again in 1.5s: unknown
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

var errUnknown = errorString("unknown")

type errorString string

func (e errorString) Error() string { return string(e) }

// TestLiveNames puts the service where BuildKit puts the stage, and lets a step
// that two components share keep one name.
func TestLiveNames(t *testing.T) {
	for name, want := range map[string]string{
		"[1/2] COPY . .":           "[api 1/2] COPY . .",
		"[internal] load metadata": "[api internal] load metadata",
		"exporting to image":       "[api] exporting to image",
	} {
		if got := liveName("api", name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
	d := &liveDisplay{s: testScreen(io.Discard), feed: make(chan *client.SolveStatus, 2), owner: map[digest.Digest]string{}, lines: map[digest.Digest]*liveLines{}}
	shared := func() *client.SolveStatus {
		id := digest.FromString("shared")
		return &client.SolveStatus{
			Vertexes: []*client.Vertex{{Digest: id, Name: "[1/2] COPY . ."}},
			Logs:     []*client.VertexLog{{Vertex: id, Data: []byte("copied\n")}},
			Statuses: []*client.VertexStatus{{Vertex: id}},
		}
	}
	d.Status("api", shared())
	d.Status("web", shared())
	first, second := <-d.feed, <-d.feed
	if len(first.Vertexes) != 1 || first.Vertexes[0].Name != "[api 1/2] COPY . ." || len(first.Logs) != 1 || len(first.Statuses) != 1 {
		t.Errorf("the first service shows %+v", first)
	}
	if len(second.Vertexes)+len(second.Logs)+len(second.Statuses) != 0 {
		t.Errorf("the second service shows it again: %+v", second)
	}
}

// TestPlainDisplayNamesQuietSteps has a service that prints nothing for a minute say which
// of its steps run, and one that printed, or runs nothing, say no more.
func TestPlainDisplayNamesQuietSteps(t *testing.T) {
	var out bytes.Buffer
	s := testScreen(&out)
	d := newPlainDisplay(s, []string{"api", "web", "done"})
	now := time.Now()
	d.now = func() time.Time { return now }
	start, end := now, now.Add(time.Second)
	step := func(name string, completed *time.Time) *client.SolveStatus {
		return &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: digest.FromString(name), Name: name, Started: &start, Completed: completed}}}
	}
	d.Status("api", step("load metadata for registry.example/base", nil))
	d.Status("web", step("RUN make", nil))
	d.Status("done", step("[internal] load build context", &end))
	now = start.Add(50 * time.Second)
	d.remind()
	d.Status("web", &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: digest.FromString("RUN make"), Data: []byte("compiling\n")}}})
	now = start.Add(70 * time.Second)
	d.remind()
	d.remind()
	now = start.Add(140 * time.Second)
	d.remind()
	d.Close()
	const want = `web  | RUN make
web  |   compiling
api  | still running: load metadata for registry.example/base (1m10s)
api  | still running: load metadata for registry.example/base (2m20s)
web  | still running: RUN make (2m20s)
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", &out, want)
	}
}
