package inputs_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"slipway/build/target"
	"slipway/internal/testkit"
)

// edited is a project of the table.
type edited struct {
	t               *testing.T
	dir, host, base string
	target          target.Target
	// others are services that the target is linked to.
	others []target.Target
	config v1.Config
	git    *testkit.GitServer
	web    *web
}

func (e *edited) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *edited) path(name string) string { return filepath.Join(e.dir, name) }

func (e *edited) write(name, text string) {
	e.t.Helper()
	e.must(os.MkdirAll(filepath.Dir(e.path(name)), 0o755))
	e.must(os.WriteFile(e.path(name), []byte(text), 0o644))
}

// push moves the tag of the base image.
func (e *edited) push(text string) {
	e.t.Helper()
	img, err := crane.Image(map[string][]byte{"base": []byte(text)})
	e.must(err)
	img, err = mutate.Config(img, e.config)
	e.must(err)
	e.must(crane.Push(img, e.base))
}

const twoStages = "FROM scratch AS unused\nCOPY docs /docs\nFROM scratch AS image\nARG LEVEL=1\nCOPY src/ /src/\nCOPY lock /lock\nLABEL level=$LEVEL\n"

// row is one edit of the table.
type row struct {
	// dockerfile replaces the one of two stages. BASE stands for the base image, GIT
	// and WEB for the addresses of a repository and a file, COMMIT and SUM for what
	// they are at first.
	dockerfile string
	setup      func(*edited)
	edit       func(*edited)
	built      bool
	// why is the reason to build an image that has the same content.
	why string
	// fails is set if nothing can be built after the edit, and the Dockerfile asks for
	// the image from before.
	fails bool
}

func write(name, text string) func(*edited) { return func(e *edited) { e.write(name, text) } }

// fileRows are edits of local files, settings and base images.
var fileRows = map[string]row{
	"nothing":     {edit: func(*edited) {}},
	"file":        {edit: write("src/app", "2"), built: true},
	"new-file":    {edit: write("src/new", ""), built: true},
	"removed":     {edit: func(e *edited) { e.must(os.Remove(e.path("src/app"))) }, built: true},
	"renamed":     {edit: func(e *edited) { e.must(os.Rename(e.path("src/app"), e.path("src/b"))) }, built: true},
	"mode":        {edit: func(e *edited) { e.must(os.Chmod(e.path("src/app"), 0o755)) }, built: true},
	"setuid":      {edit: func(e *edited) { e.must(os.Chmod(e.path("src/app"), 0o644|os.ModeSetuid)) }, built: true},
	"time":        {edit: func(e *edited) { e.must(os.Chtimes(e.path("src/app"), epoch, epoch)) }},
	"link":        {edit: func(e *edited) { e.must(os.Symlink("app", e.path("src/l"))) }, built: true},
	"link-target": {setup: func(e *edited) { e.must(os.Symlink("a", e.path("src/l"))) }, edit: func(e *edited) { e.must(os.Remove(e.path("src/l"))); e.must(os.Symlink("b", e.path("src/l"))) }, built: true},
	"hard-link": {setup: write("src/twin", "1"), edit: func(e *edited) {
		e.must(os.Remove(e.path("src/twin")))
		e.must(os.Link(e.path("src/app"), e.path("src/twin")))
	}},
	"empty-dir":           {edit: func(e *edited) { e.must(os.Mkdir(e.path("src/empty"), 0o755)) }, built: true},
	"unread":              {edit: write("docs/index.md", "2")},
	"ignored":             {edit: write("src/x.log", "2")},
	"dockerignore":        {edit: write(".dockerignore", "src/app\n"), built: true},
	"dockerignore-same":   {edit: write(".dockerignore", "# none\n**/*.log\ndocs\n")},
	"dockerignore-own":    {edit: write("Dockerfile.dockerignore", "src/app\n"), built: true},
	"comment":             {edit: write("Dockerfile", "# one\n"+twoStages)},
	"unused-stage":        {edit: write("Dockerfile", "FROM scratch AS more\nCOPY lock /\n"+twoStages)},
	"step":                {edit: write("Dockerfile", twoStages+"COPY lock /second\n"), built: true},
	"argument":            {edit: func(e *edited) { e.target.Args = map[string]string{"LEVEL": "2"} }, built: true},
	"argument-default":    {edit: func(e *edited) { e.target.Args = map[string]string{"LEVEL": "1"} }},
	"argument-unused":     {edit: func(e *edited) { e.target.Args = map[string]string{"OTHER": "2"} }},
	"label":               {edit: func(e *edited) { e.target.Labels = map[string]string{"a": "b"} }, built: true},
	"target":              {edit: func(e *edited) { e.target.Target = "unused" }, built: true},
	"target-last":         {edit: func(e *edited) { e.target.Target = "image" }},
	"compression":         {edit: func(e *edited) { e.target.Compression = "zstd" }, built: true, why: "the layers have other bytes"},
	"no-cache":            {edit: func(e *edited) { e.target.NoCache = true }, built: true, why: "no_cache asks for it"},
	"base-moved":          {dockerfile: "FROM BASE\nCOPY lock /\n", edit: func(e *edited) { e.push("2") }, built: true},
	"base-unused":         {dockerfile: "FROM BASE AS unused\nFROM scratch\nCOPY lock /\n", edit: func(e *edited) { e.push("2") }},
	"base-copied":         {dockerfile: "FROM scratch\nCOPY --from=BASE /base /\n", edit: func(e *edited) { e.push("2") }, built: true},
	"base-same":           {dockerfile: "FROM BASE\nCOPY lock /\n", edit: write("src/app", "2")},
	"base-variable":       {dockerfile: "FROM BASE\nCOPY $WHICH /x\n", setup: func(e *edited) { e.config.Env = []string{"WHICH=src"} }, edit: write("src/app", "2"), built: true},
	"base-default":        {dockerfile: "FROM BASE\nCOPY ${WHICH:-docs} /x\n", setup: func(e *edited) { e.config.Env = []string{"WHICH=src"} }, edit: write("src/app", "2"), built: true},
	"bind-mount":          {dockerfile: "FROM scratch\nCOPY --chmod=755 probe /probe\nRUN --mount=type=bind,source=src,target=/in [\"/probe\",\"see\",\"file\",\"/in/app\",\"/out\"]\n", edit: write("src/app", "2"), built: true},
	"heredoc":             {dockerfile: "FROM scratch\nCOPY <<EOF /x\none\nEOF\n", edit: write("Dockerfile", "FROM scratch\nCOPY <<EOF /x\ntwo\nEOF\n"), built: true},
	"exclude":             {dockerfile: "FROM scratch\nCOPY --exclude=*.md . /x\n", edit: write("src/app", "2"), built: true},
	"parents":             {dockerfile: "FROM scratch\nCOPY --parents src/sub/more /\n", edit: write("src/sub/more", "2"), built: true},
	"dockerfile-outside":  {setup: func(e *edited) { e.target.Context.Dir = e.path("src") }, dockerfile: "FROM scratch\nCOPY app /\n", edit: write("Dockerfile", "FROM scratch\nCOPY app /b\n"), built: true},
	"inline":              {setup: func(e *edited) { e.target.Dockerfile, e.target.DockerfileInline = "", twoStages }, edit: func(e *edited) { e.target.DockerfileInline += "COPY lock /b\n" }, built: true},
	"inline-comment":      {setup: func(e *edited) { e.target.Dockerfile, e.target.DockerfileInline = "", twoStages }, edit: func(e *edited) { e.target.DockerfileInline = "# one\n" + twoStages }},
	"platforms":           {dockerfile: "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /arch\n", setup: severalPlatforms, edit: write("arm64", "2"), built: true},
	"platforms-unread":    {dockerfile: "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /arch\n", setup: severalPlatforms, edit: write("lock", "2")},
	"context":             {dockerfile: "FROM scratch\nCOPY --from=more app /\n", setup: moreContext, edit: write("src/app", "2"), built: true},
	"context-unread":      {dockerfile: "FROM scratch\nCOPY --from=more app /\n", setup: moreContext, edit: write("src/sub/more", "2")},
	"context-docker-file": {dockerfile: "FROM more\nCOPY lock /\n", setup: func(e *edited) { e.target.Contexts = map[string]target.Context{"more": {Image: e.base}} }, edit: func(e *edited) { e.push("2") }, built: true},
}

func severalPlatforms(e *edited) {
	e.write("arm64", "1")
	e.write("amd64", "1")
	e.target.Platforms = []string{"linux/amd64", "linux/arm64"}
}

func moreContext(e *edited) {
	e.target.Contexts = map[string]target.Context{"more": {Dir: e.path("src")}}
}

// TestEdits checks which edits lead to a build. An emptied engine decides whether
// the image has other content.
func TestEdits(t *testing.T) {
	t.Parallel()
	p := newProof(t)
	all := map[string]*edited{}
	rows := maps.Clone(fileRows)
	maps.Copy(rows, sourceRows)
	for name, r := range rows {
		all[name] = newEdited(t, p, name, r)
	}
	first := p.all(t, all)
	for name, r := range rows {
		r.edit(all[name])
	}
	p.engine.Empty(t)
	second := p.all(t, all)
	for name, r := range rows {
		t.Run(name, func(t *testing.T) {
			old, now := first[name], second[name]
			same := maps.Equal(old.content, now.content)
			reused := old.key != "" && old.key == now.key
			switch {
			case old.failed() || now.failed() != r.fails:
				t.Errorf("the builds failed: %v before the edit, %v after it", old.failed(), now.failed())
			case r.fails && !reused:
				t.Error("the key is another one, or not known")
			case r.fails:
			case reused && !same:
				t.Errorf("the key is the same, the content is not:\n%s", different(old.content, now.content))
			case reused == r.built:
				t.Errorf("reused: %v; the content is the same: %v\n%s", reused, same, different(old.content, now.content))
			case r.built && same != (r.why != ""):
				t.Errorf("built for the reason %q; the content is the same: %v", r.why, same)
			}
		})
	}
}

func newEdited(t *testing.T, p *proof, name string, r row) *edited {
	t.Helper()
	e := &edited{t: t, dir: t.TempDir(), host: p.host, base: p.host + "/base-" + name + ":1"}
	e.target = target.Target{Service: name, Context: target.Context{Dir: e.dir}, Dockerfile: e.path("Dockerfile"), Platforms: []string{ownPlatform}}
	for file, text := range map[string]string{"src/app": "1", "src/sub/more": "1", "src/x.log": "1", "lock": "1", "docs/index.md": "1", ".dockerignore": "**/*.log\n"} {
		e.write(file, text)
	}
	if r.setup != nil {
		r.setup(e)
	}
	e.push("1")
	e.write("Dockerfile", twoStages)
	if r.dockerfile != "" {
		e.write("Dockerfile", e.filled(r.dockerfile))
	}
	probe, err := testkit.Probe()
	e.must(err)
	e.write("probe", probe)
	return e
}

// state is the content of an image, and its key if it may be known
// by it.
type state struct {
	content map[string]string
	key     string
}

// failed reports whether there is no image, since the build fails.
func (s state) failed() bool { return s.content[failure] != "" }

// all builds all projects.
func (p *proof) all(t *testing.T, all map[string]*edited) map[string]state {
	t.Helper()
	var targets []target.Target
	for _, e := range all {
		targets = append(append(targets, e.target), e.others...)
	}
	before := p.read(t, targets)
	built := p.build(t, "", targets)
	confirmed := p.confirm(t, targets, before, built)
	out := map[string]state{}
	for name := range all {
		s := state{content: p.outcome(t, built[name])}
		if in := before[name]; in.Inputs != nil && confirmed[name] == nil {
			s.key = in.Inputs.Key()
		}
		out[name] = s
	}
	return out
}

var epoch = time.Unix(1, 0)
