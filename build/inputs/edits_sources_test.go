package inputs_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"slipway/build/target"
	"slipway/internal/testkit"
)

const (
	fromLinked = "FROM linked\nCOPY lock /\n"
	fromGit    = "FROM scratch\nCOPY --from=code who /\n"
	fromLayout = "FROM layout\nCOPY lock /\n"
	withSyntax = "# syntax=SYNTAX\nFROM scratch\nCOPY lock /\n"
	onBase     = "FROM BASE\nCOPY lock /\n"
	addWeb     = "FROM scratch\nADD WEB /web\n"
	addSum     = "FROM scratch\nADD --checksum=SUM WEB /web\n"
)

// sourceRows are edits of what steps read from elsewhere than the context.
var sourceRows = map[string]row{
	"linked":        {dockerfile: fromLinked, setup: linked("FROM scratch\nCOPY src /src\n"), edit: write("src/app", "2"), built: true},
	"linked-copied": {dockerfile: "FROM scratch\nCOPY --from=linked /src /\n", setup: linked("FROM scratch\nCOPY src /src\n"), edit: write("src/app", "2"), built: true},
	"linked-unread": {dockerfile: fromLinked, setup: linked("FROM scratch\nCOPY src /src\n"), edit: write("docs/index.md", "2")},
	"linked-unused": {setup: linked("FROM scratch\nCOPY docs /docs\n"), edit: write("docs/index.md", "2")},
	"linked-step":   {dockerfile: fromLinked, setup: linked("FROM scratch\nCOPY src /src\n"), edit: write("Dockerfile.linked", "FROM scratch\nCOPY src /b\n"), built: true},
	"linked-label":  {dockerfile: fromLinked, setup: linked("FROM scratch\nCOPY src /src\n"), edit: func(e *edited) { e.others[0].Labels = map[string]string{"a": "b"} }, built: true},
	"linked-base":   {dockerfile: fromLinked, setup: linked("FROM BASE\n"), edit: func(e *edited) { e.push("2") }, built: true},

	"onbuild":        {dockerfile: onBase, setup: onBuild("COPY src/app /onbuild"), edit: write("src/app", "2"), built: true},
	"onbuild-same":   {dockerfile: onBase, setup: onBuild("COPY src/app /onbuild"), edit: func(*edited) {}, built: true, why: "the base image adds sources"},
	"onbuild-moved":  {dockerfile: onBase, setup: onBuild("LABEL a=b"), edit: func(e *edited) { onBuild("LABEL a=c")(e); e.push("1") }, built: true},
	"onbuild-label":  {dockerfile: onBase, setup: onBuild("LABEL a=b"), edit: write("src/app", "2")},
	"onbuild-read":   {dockerfile: onBase, setup: onBuild("COPY lock /onbuild"), edit: write("src/app", "2")},
	"onbuild-copied": {dockerfile: "FROM scratch\nCOPY --from=BASE /base /\n", setup: onBuild("COPY src/app /onbuild"), edit: write("src/app", "2")},
	"onbuild-linked": {dockerfile: fromLinked, setup: linked("FROM scratch\nCOPY lock /\nONBUILD COPY src/app /onbuild\n"), edit: write("src/app", "2"), built: true},

	"git-context":        {dockerfile: fromGit, setup: gitContext("#main"), edit: commit("who"), built: true},
	"git-context-head":   {dockerfile: fromGit, setup: gitContext(""), edit: commit("who"), built: true},
	"git-context-same":   {dockerfile: fromGit, setup: gitContext("#main"), edit: write("src/app", "2")},
	"git-context-unread": {dockerfile: fromGit, setup: gitContext("#main"), edit: commit("other"), built: true, why: "the commit is another one"},
	"git-context-branch": {dockerfile: fromGit, setup: gitContext("#main"), edit: func(e *edited) { e.git.Git("checkout", "-q", "-b", "more"); commit("who")(e) }},
	"git-main":           {dockerfile: "unread", setup: gitMain, edit: func(*edited) {}, built: true, why: "the engine reads the Dockerfile"},
	"git-main-inline":    {dockerfile: "unread", setup: gitInline, edit: commit("who"), built: true},
	"git-inline-same":    {dockerfile: "unread", setup: gitInline, edit: func(*edited) {}},
	"git-add":            {dockerfile: "FROM scratch\nADD GIT#main /code\n", setup: gitServer, edit: commit("who"), built: true},
	"git-add-same":       {dockerfile: "FROM scratch\nADD GIT#main /code\n", setup: gitServer, edit: write("src/app", "2")},
	"git-add-subdir":     {dockerfile: "FROM scratch\nADD GIT#main:sub /code\n", setup: gitServer, edit: commit("sub/who"), built: true},
	"git-add-commit":     {dockerfile: "FROM scratch\nADD GIT#COMMIT /code\n", setup: gitServer, edit: commit("who")},
	"git-add-tag":        {dockerfile: "FROM scratch\nADD GIT#v1 /code\n", setup: gitServer, edit: func(e *edited) { commit("who")(e); e.git.Git("tag", "-f", "-a", "-m", "2", "v1") }, built: true},
	"git-add-tag-same":   {dockerfile: "FROM scratch\nADD GIT#v1 /code\n", setup: gitServer, edit: commit("who")},
	"git-add-checksum":   {dockerfile: "FROM scratch\nADD --checksum=COMMIT GIT#main /code\n", setup: gitServer, edit: commit("who"), fails: true},

	"http":               {dockerfile: addWeb, setup: webServer, edit: func(e *edited) { e.web.set("2") }, built: true},
	"http-same":          {dockerfile: addWeb, setup: webServer, edit: func(*edited) {}, built: true, why: "there is no checksum"},
	"http-context":       {dockerfile: "FROM scratch\nCOPY --from=web / /web\n", setup: webContext, edit: func(e *edited) { e.web.set("2") }, built: true},
	"http-checksum":      {dockerfile: addSum, setup: webServer, edit: func(e *edited) { e.web.set("2"); e.write("Dockerfile", e.filled(addSum)) }, built: true},
	"http-checksum-same": {dockerfile: addSum, setup: webServer, edit: write("src/app", "2")},
	"http-checksum-old":  {dockerfile: addSum, setup: webOwn, edit: func(e *edited) { e.web.set("2") }, fails: true},

	"layout":           {dockerfile: fromLayout, setup: ociLayout("1", ""), edit: ociLayout("2", ""), built: true},
	"layout-copied":    {dockerfile: "FROM scratch\nCOPY --from=layout base /\n", setup: ociLayout("1", ""), edit: ociLayout("2", ""), built: true},
	"layout-same":      {dockerfile: fromLayout, setup: ociLayout("1", ""), edit: write("src/app", "2")},
	"layout-onbuild":   {dockerfile: fromLayout, setup: ociLayout("1", "COPY src/app /onbuild"), edit: write("src/app", "2"), built: true},
	"layout-unread":    {dockerfile: fromLayout, setup: ociLayout("1", "COPY src/app /onbuild"), edit: write("docs/index.md", "2")},
	"layout-platforms": {dockerfile: "FROM layout\nARG TARGETARCH\nCOPY $TARGETARCH /arch\n", setup: layoutPlatforms, edit: write(runtime.GOARCH, "2"), built: true},
	"layout-several":   {dockerfile: "FROM layout\nARG TARGETARCH\nCOPY $TARGETARCH /arch\n", setup: layoutPlatforms, edit: write("lock", "2")},

	"syntax":       {dockerfile: withSyntax, setup: syntax("1"), edit: write("lock", "2"), built: true},
	"syntax-same":  {dockerfile: withSyntax, setup: syntax("1"), edit: write("src/app", "2")},
	"syntax-moved": {dockerfile: withSyntax, setup: syntax("1"), edit: syntax("2"), built: true, why: "the frontend is another image"},
}

// filled returns a Dockerfile with the addresses of the project.
func (e *edited) filled(dockerfile string) string {
	words := []string{"BASE", e.base, "SYNTAX", "docker/dockerfile:" + e.target.Service}
	if e.git != nil {
		words = append(words, "GIT", e.git.URL, "COMMIT", e.git.Git("rev-parse", "main"))
	}
	if e.web != nil {
		words = append(words, "WEB", e.web.url, "SUM", e.web.sum())
	}
	return strings.NewReplacer(words...).Replace(dockerfile)
}

// linked adds a service to which the target is linked.
func linked(dockerfile string) func(*edited) {
	return func(e *edited) {
		e.write("Dockerfile.linked", e.filled(dockerfile))
		other := e.target
		other.Service, other.Dockerfile = e.target.Service+"-linked", e.path("Dockerfile.linked")
		e.others = append(e.others, other)
		e.target.Contexts = map[string]target.Context{"linked": {Service: other.Service}}
	}
}

// onBuild gives the base image a step for the images that are built on it.
func onBuild(step string) func(*edited) {
	return func(e *edited) { e.config.OnBuild = []string{step} }
}

func gitServer(e *edited) {
	e.git = testkit.ServeGit(e.t, map[string]string{"who": "1", "sub/who": "1", "Dockerfile": "FROM scratch\nCOPY who /\n"})
	e.git.Git("tag", "-a", "-m", "1", "v1")
}

// gitContext adds a git repository as an additional context.
func gitContext(fragment string) func(*edited) {
	return func(e *edited) {
		gitServer(e)
		e.target.Contexts = map[string]target.Context{"code": {Remote: e.git.URL + fragment}}
	}
}

// gitMain makes a git repository the main context.
func gitMain(e *edited) {
	gitServer(e)
	e.target.Context, e.target.Dockerfile = target.Context{Remote: e.git.URL + "#main"}, "Dockerfile"
}

// gitInline makes a git repository the main context of a Dockerfile in the compose
// file.
func gitInline(e *edited) {
	gitMain(e)
	e.target.Dockerfile, e.target.DockerfileInline = "", "FROM scratch\nCOPY who /\n"
}

// commit changes a file of the git repository.
func commit(name string) func(*edited) {
	return func(e *edited) { e.git.Commit(map[string]string{name: "2"}) }
}

// web is a file on an HTTP server.
type web struct {
	url  string
	text atomic.Value
}

func webServer(e *edited) {
	e.web = &web{}
	e.web.set("1")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, e.web.get()) }))
	e.t.Cleanup(server.Close)
	e.web.url = server.URL + "/file"
}

// webOwn serves a file whose bytes no other project has: the engine shares files by
// their checksums.
func webOwn(e *edited) {
	webServer(e)
	e.web.set("own")
}

func webContext(e *edited) {
	webServer(e)
	e.target.Contexts = map[string]target.Context{"web": {Remote: e.web.url}}
}

func (w *web) set(text string) { w.text.Store(text) }

func (w *web) get() string {
	text, _ := w.text.Load().(string)
	return text
}

func (w *web) sum() string {
	sum := sha256.Sum256([]byte(w.get()))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ociLayout makes an image the context layout, in a directory in the OCI image
// layout. It has one ONBUILD step or none.
func ociLayout(text, step string) func(*edited) {
	return func(e *edited) {
		img, err := crane.Image(map[string][]byte{"base": []byte(text)})
		e.must(err)
		if step != "" {
			img, err = mutate.Config(img, v1.Config{OnBuild: []string{step}})
			e.must(err)
		}
		path, err := layout.Write(e.path("layout"), empty.Index)
		e.must(err)
		e.must(path.AppendImage(img))
		digest, err := img.Digest()
		e.must(err)
		e.target.Contexts = map[string]target.Context{"layout": {OCILayout: string(path), Digest: digest.String()}}
	}
}

// layoutPlatforms makes an image for several platforms the context layout.
func layoutPlatforms(e *edited) {
	severalPlatforms(e)
	index := v1.ImageIndex(empty.Index)
	for _, arch := range []string{"amd64", "arm64"} {
		img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: arch, Config: v1.Config{Env: []string{"FOR=" + arch}}})
		e.must(err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	path, err := layout.Write(e.path("layout"), empty.Index)
	e.must(err)
	e.must(path.AppendIndex(index))
	digest, err := index.Digest()
	e.must(err)
	e.target.Contexts = map[string]target.Context{"layout": {OCILayout: string(path), Digest: digest.String()}}
}

// syntax points a tag of docker/dockerfile to BuildKit's frontend, in an image with
// a label of its own.
func syntax(label string) func(*edited) {
	return func(e *edited) {
		testkit.PushFrontend(e.t, e.host+"/docker/dockerfile:"+e.target.Service, label)
	}
}
