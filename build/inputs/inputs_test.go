package inputs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/build/target"
)

// project is a context in a temporary directory.
type project struct {
	t      *testing.T
	dir    string
	target target.Target
	// digests are those of images by reference.
	digests map[string]string
}

const firstDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

const secondDigest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

// newProject has a Dockerfile of two stages, of which the image needs one.
func newProject(t *testing.T) *project {
	p := &project{t: t, dir: t.TempDir(), digests: map[string]string{"docker.io/library/busybox:latest": firstDigest, "docker.io/library/python:3.12": firstDigest}}
	p.write("Dockerfile", "ARG BASE=python:3.12\nFROM busybox AS unused\nCOPY docs /docs\nFROM $BASE\nARG LEVEL=1\nCOPY src/ /src/\nCOPY lock /lock\nRUN echo $LEVEL\n")
	p.write("src/app.py", "print(1)")
	p.write("src/sub/more.py", "print(2)")
	p.write("lock", "v1")
	p.write("docs/index.md", "docs")
	p.write(".dockerignore", "**/*.log\n")
	p.target = target.Target{Service: "app", Context: target.Context{Dir: p.dir}, Dockerfile: filepath.Join(p.dir, "Dockerfile"), Platforms: []string{"linux/amd64"}}
	return p
}

func (p *project) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *project) sources() Sources { return fixedSources(p.digests) }

// fixedSources are sources with the digests of images by reference.
func fixedSources(digests map[string]string) Sources {
	return Sources{
		Platform: "linux/amd64", Files: NewFiles(nil),
		Digest: func(_ context.Context, ref string) (string, error) {
			if d, ok := digests[ref]; ok {
				return d, nil
			}
			return "", errors.New("no image " + ref)
		},
		Commit: func(context.Context, string, string) (string, error) { return strings.Repeat("c", 40), nil },
	}
}

func (p *project) read(others ...target.Target) Result {
	return Of(p.t.Context(), append(others, p.target), p.sources())[p.target.Service]
}

func (p *project) known() *Inputs {
	p.t.Helper()
	r := p.read()
	if r.Inputs == nil {
		p.t.Fatalf("the inputs are not known: %v", r.Unknown)
	}
	return r.Inputs
}

// TestKeyChanges checks which edits change the key, and the words for each.
func TestKeyChanges(t *testing.T) {
	t.Parallel()
	dockerfile := func(old, with string) func(*project) {
		return func(p *project) {
			data, err := os.ReadFile(p.target.Dockerfile)
			if err != nil {
				p.t.Fatal(err)
			}
			p.write("Dockerfile", strings.Replace(string(data), old, with, 1))
		}
	}
	for name, test := range map[string]struct {
		edit func(*project)
		want string // the changes, joined; empty for the same key
	}{
		"nothing":       {func(*project) {}, ""},
		"file":          {func(p *project) { p.write("src/app.py", "print(3)") }, "src/app.py"},
		"file in a dir": {func(p *project) { p.write("src/sub/more.py", "print(3)") }, "src/sub/more.py"},
		"new file":      {func(p *project) { p.write("src/new/x", "") }, "src/new/x"},
		"empty dir":     {func(p *project) { must(p.t, os.Mkdir(filepath.Join(p.dir, "src/empty"), 0o755)) }, "src/empty/"},
		"two files":     {func(p *project) { p.write("src/app.py", ""); p.write("lock", "") }, "lock, src/app.py"},
		"removed":       {func(p *project) { must(p.t, os.Remove(filepath.Join(p.dir, "src/app.py"))) }, "src/app.py"},
		"renamed": {func(p *project) {
			must(p.t, os.Rename(filepath.Join(p.dir, "src/app.py"), filepath.Join(p.dir, "src/b.py")))
		}, "src/app.py, src/b.py"},
		"mode":           {func(p *project) { must(p.t, os.Chmod(filepath.Join(p.dir, "src/app.py"), 0o755)) }, "src/app.py"},
		"time":           {func(p *project) { must(p.t, os.Chtimes(filepath.Join(p.dir, "src/app.py"), epoch, epoch)) }, ""},
		"link":           {func(p *project) { must(p.t, os.Symlink("app.py", filepath.Join(p.dir, "src/l"))) }, "src/l"},
		"unread":         {func(p *project) { p.write("docs/index.md", "more") }, ""},
		"ignored":        {func(p *project) { p.write("src/x.log", "more") }, ""},
		"unignored":      {func(p *project) { p.write("src/x.log", ""); p.write(".dockerignore", "") }, "src/x.log"},
		"ignore comment": {func(p *project) { p.write(".dockerignore", "# none\n**/*.log\n") }, ""},
		"comment":        {dockerfile("FROM $BASE", "# the image\nFROM $BASE"), ""},
		"unused stage":   {dockerfile("/docs\n", "/other\n"), ""},
		"step":           {dockerfile("RUN echo", "RUN echo more"), "Dockerfile"},
		"entry point":    {dockerfile("RUN echo", "ENTRYPOINT [\"x\"]\nRUN echo"), "Dockerfile"},
		"argument":       {func(p *project) { p.target.Args = map[string]string{"LEVEL": "2"} }, "argument LEVEL"},
		"same argument":  {func(p *project) { p.target.Args = map[string]string{"LEVEL": "1"} }, ""},
		"label":          {func(p *project) { p.target.Labels = map[string]string{"a": "b"} }, "the steps of the Dockerfile"},
		"stage":          {func(p *project) { p.target.Target = "unused" }, "docs/index.md, lock, src/app.py, src/sub/more.py, base image busybox:latest, base image python:3.12, the steps of the Dockerfile"},
		"base":           {func(p *project) { p.digests["docker.io/library/python:3.12"] = secondDigest }, "base image python:3.12"},
		"unused base":    {func(p *project) { p.digests["docker.io/library/busybox:latest"] = secondDigest }, ""},
		"inline":         {func(p *project) { p.target.Dockerfile, p.target.DockerfileInline = "", "FROM python:3.12\n" }, "lock, src/app.py, src/sub/more.py, the inline Dockerfile"},
		"platform":       {func(p *project) { p.target.Platforms = []string{"linux/arm64"} }, "the build settings"},
		"platforms":      {func(p *project) { p.target.Platforms = append(p.target.Platforms, "linux/arm64") }, "the platforms, the build settings"},
		"copied Dockerfile": {func(p *project) {
			p.write("src/Dockerfile", "FROM python:3.12\nCOPY src/ /src/\nCOPY lock /lock\nRUN echo 1\n")
			p.target.Dockerfile = filepath.Join(p.dir, "src/Dockerfile")
		}, "src/Dockerfile"},
		"compression": {func(p *project) { p.target.Compression = "zstd" }, "the build settings"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			before := p.known()
			test.edit(p)
			after := p.known()
			changes := strings.Join(after.Record().Changes(kept(t, before)), ", ")
			if changes != test.want || (before.Key() == after.Key()) != (test.want == "") {
				t.Errorf("changes %q, keys %s and %s; want %q", changes, before.Key(), after.Key(), test.want)
			}
		})
	}
}

// kept is the record of inputs as it comes back from where it is kept.
func kept(t *testing.T, i *Inputs) *Record {
	t.Helper()
	data, err := i.Record().Encode()
	must(t, err)
	r, err := DecodeRecord(data)
	must(t, err)
	return r
}

var epoch = time.Unix(1, 0)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestScanner reads a Dockerfile whose image gets an SBOM: the scanner is an image
// that it is built from.
func TestScanner(t *testing.T) {
	t.Parallel()
	const scanner = "docker.io/library/scanner:1"
	p := newProject(t)
	p.digests[scanner], p.target.SBOM = firstDigest, "generator=scanner:1"
	before := p.known()
	if before.Images[scanner] != firstDigest {
		t.Errorf("the images are %v, want the scanner among them", before.Images)
	}
	p.digests[scanner] = secondDigest
	after := p.known()
	if got := strings.Join(after.Record().Changes(kept(t, before)), ", "); got != "base image scanner:1" || before.Key() == after.Key() {
		t.Errorf("changes %q, want base image scanner:1", got)
	}
	delete(p.digests, scanner)
	var unresolved *ImageError
	if r := p.read(); !errors.As(r.Unknown, &unresolved) {
		t.Errorf("without the scanner's digest, the inputs are unknown because of %v, want an ImageError", r.Unknown)
	}
}
