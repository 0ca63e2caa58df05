package solve_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/moby/buildkit/client"

	"slipway/build/solve"
	"slipway/internal/testkit"
)

func TestContextKinds(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	stored, err := crane.Image(map[string][]byte{"who": []byte("image")})
	if err != nil {
		t.Fatal(err)
	}
	if err := crane.Push(stored, o.host+"/base:1"); err != nil {
		t.Fatal(err)
	}
	const dockerfile = `FROM base AS base
FROM scratch
COPY who /main
COPY --from=dir who /dir
COPY --from=base who /image
COPY --from=layout who /layout
COPY --from=layout2 who /layout2
`
	dir := testkit.WriteTree(t, map[string]string{
		"compose.yaml": `services:
  app:
    build:
      context: ./main
      additional_contexts:
        dir: ./more
        base: docker-image://` + o.host + `/base:1
        layout: oci-layout://./one:v1
        layout2: oci-layout://./two
`, "main/Dockerfile": dockerfile, "main/who": "main", "more/who": "dir",
	})
	writeLayout(t, filepath.Join(dir, "one"), "one", "v1")
	writeLayout(t, filepath.Join(dir, "two"), "two", "latest")
	got := o.mustBuild(t, plan(t, dir), solve.RunOptions{})
	o.want(t, got["app"], map[string]string{"main": "main", "dir": "dir", "image": "image", "layout": "one", "layout2": "two"})
}

// writeLayout makes an OCI layout with one image that holds the file who.
func writeLayout(t *testing.T, dir, who, tag string) {
	t.Helper()
	img, err := crane.Image(map[string][]byte{"who": []byte(who)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AppendImage(img, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag})); err != nil {
		t.Fatal(err)
	}
}

const linkedBuild = `services:
  a-top:
    build: {context: ., dockerfile_inline: "FROM mid\nCOPY --from=leaf leaf /copy\nCOPY top /", additional_contexts: {mid: "service:b-mid", leaf: "service:c-leaf"}}
  b-mid:
    build: {context: ., dockerfile_inline: "FROM leaf\nCOPY mid /", additional_contexts: {leaf: "service:c-leaf"}}
  c-leaf:
    build: {context: ., dockerfile_inline: "FROM scratch\nCOPY leaf /"}
`

// A linked service is built first, from the digest of this very run, also when only one
// may be built at a time and the one that needs it comes first by name.
func TestLinkedServices(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	for _, jobs := range []int{0, 1} {
		leaf := fmt.Sprintf("leaf of %d", jobs)
		dir := testkit.WriteTree(t, map[string]string{"compose.yaml": linkedBuild, "top": "T", "mid": "M", "leaf": leaf})
		got := o.mustBuild(t, plan(t, dir), solve.RunOptions{Jobs: jobs})
		want := map[string]string{"leaf": leaf, "mid": "M", "copy": leaf, "top": "T"}
		if have := o.files(t, got["a-top"]); !maps.Equal(have, want) {
			t.Errorf("jobs %d: files %v, want %v", jobs, have, want)
		}
	}
}

func TestRemoteGitContexts(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	url := testkit.ServeGit(t, map[string]string{
		"Dockerfile": "FROM scratch\nCOPY who /\n", "who": "root",
		"sub/Other": "FROM scratch\nCOPY who /\n", "sub/who": "sub",
	}).URL
	got := o.buildProject(t, map[string]string{"compose.yaml": `services:
  whole: {build: "` + url + `#main"}
  part: {build: {context: "` + url + `#main:sub", dockerfile: Other}}
  inline: {build: {context: "` + url + `#main", dockerfile_inline: "FROM scratch\nCOPY who /inline"}}
  extra: {build: {context: ., additional_contexts: {code: "` + url + `#main:sub"}, dockerfile_inline: "FROM scratch\nCOPY --from=code who /extra"}}
`})
	o.want(t, got["whole"], map[string]string{"who": "root"})
	o.want(t, got["part"], map[string]string{"who": "sub"})
	o.want(t, got["inline"], map[string]string{"inline": "root"})
	o.want(t, got["extra"], map[string]string{"extra": "sub"})
}

// transfers counts what the engine received of local directories: bytes by vertex name,
// each sync once however many solves report it.
type transfers struct {
	mu   sync.Mutex
	seen map[string]int64 // bytes by name, vertex, transfer and its start
}

func (c *transfers) status(_ string, s *client.SolveStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]int64{}
	}
	for _, x := range s.Statuses {
		if !strings.HasPrefix(x.ID, "transferring") || x.Started == nil {
			continue
		}
		key := fmt.Sprint(x.ID, x.Vertex, x.Started.UnixNano())
		c.seen[key] = max(c.seen[key], x.Current)
	}
}

func (c *transfers) total() (bytes int64) {
	for _, n := range c.seen {
		bytes += n
	}
	return bytes
}

// Services that read one directory under one name have it sent once: at once if they
// copy the same of it, and one after the other in any case. (BuildKit syncs what a
// Dockerfile copies, and cannot share two syncs under way that differ.)
func TestDirectoryIsSentOnce(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	const size = 3 << 20
	blob := strings.Repeat("0123456789abcdef", size/16)
	for _, row := range []struct {
		kind, service, copies string
		jobs                  int
	}{
		{"main", "{context: ./shared, dockerfile: N.Dockerfile}", "blob", 0},
		{"main, differing", "{context: ./shared, dockerfile: N.Dockerfile}", "blob N.txt", 1},
		{"additional", "{context: ./other, dockerfile: N.Dockerfile, additional_contexts: {extra: ./shared}}", "--from=extra blob", 0},
		{"additional, differing", "{context: ./other, dockerfile: N.Dockerfile, additional_contexts: {extra: ./shared}}", "--from=extra blob N.txt", 1},
	} {
		tree := map[string]string{"compose.yaml": "services:\n", "shared/blob": blob + row.kind} // not seen by the engine yet
		for _, n := range []string{"a", "b", "c", "d"} {
			tree["compose.yaml"] += "  " + n + ": {build: " + strings.ReplaceAll(row.service, "N", n) + "}\n"
			tree["shared/"+n+".txt"] = n
			dockerfile := "FROM scratch\nLABEL of=" + n + "\nCOPY " + strings.ReplaceAll(row.copies, "N", n) + " /\n"
			tree["shared/"+n+".Dockerfile"], tree["other/"+n+".Dockerfile"] = dockerfile, dockerfile
		}
		var count transfers
		o.mustBuild(t, plan(t, testkit.WriteTree(t, tree)), solve.RunOptions{Jobs: row.jobs, Status: count.status})
		if sent := count.total(); sent < size || sent > size+size/2 {
			t.Errorf("%s: %d bytes sent of a directory of %d", row.kind, sent, size)
		}
	}
}

// Two main contexts have one name in BuildKit; each service must see its own.
func TestMainContextsAreNotMixedUp(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	tree := map[string]string{"compose.yaml": "services:\n"}
	for i := range 6 {
		n := fmt.Sprint(i)
		tree["compose.yaml"] += "  app" + n + ": {build: ./" + n + "}\n  in" + n + ": {build: {context: ./" + n + ", dockerfile_inline: \"FROM scratch\\nCOPY who /in" + n + "\"}}\n"
		tree[n+"/Dockerfile"] = "FROM scratch\nCOPY who /who\n"
		tree[n+"/who"] = n
	}
	got := o.buildProject(t, tree)
	for i := range 6 {
		n := fmt.Sprint(i)
		o.want(t, got["app"+n], map[string]string{"who": n})
		o.want(t, got["in"+n], map[string]string{"in" + n: n})
	}
}
