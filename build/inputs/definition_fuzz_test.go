package inputs

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"

	"slipway/build/target"
	"slipway/internal/testkit"
)

// fuzzedDockerfiles are those whose definitions the fuzzing begins with.
var fuzzedDockerfiles = []string{
	"FROM scratch\nCOPY . /\n",
	"FROM busybox AS one\nRUN --mount=type=bind,source=src,target=/in --mount=type=cache,target=/c echo one\nFROM scratch\nCOPY --from=one /a /b\nENV A=b\nWORKDIR /w\n",
	"FROM scratch\nADD https://example.com/file /file\nADD --checksum=" + firstDigest + " https://example.com/file /other\nADD https://example.com/code.git#main:sub /code\n",
	"FROM scratch\nCOPY --parents --exclude=*.md src/./sub/*.py lock /x/\nCOPY <<EOF /doc\ntext\nEOF\n",
	"FROM layout\nCOPY --from=more app.py /\nCOPY --from=code who /\n",
}

// definitionsOf returns the definitions that the frontend makes of a Dockerfile, for
// one platform after the other: for two at once, or two base images, BuildKit's
// frontend writes the same value to one field in several goroutines, which the race
// detector reports.
func definitionsOf(t testing.TB, dockerfile string) []*pb.Definition {
	t.Helper()
	return append(definitionsFor(t, dockerfile, "linux/amd64"), definitionsFor(t, dockerfile, "linux/arm64")...)
}

func definitionsFor(t testing.TB, dockerfile, platform string) []*pb.Definition {
	t.Helper()
	dir := testkit.WriteTree(t, map[string]string{"Dockerfile": dockerfile, "src/app.py": "1", "src/sub/more.py": "2", "lock": "3"})
	c := &component{run: &run{sources: fixedSources(map[string]string{
		"docker.io/library/busybox:latest": firstDigest, "docker.io/library/python:3.12": firstDigest,
	})}, inputs: &Inputs{Images: map[string]string{}}}
	c.target = target.Target{Service: "app", Context: target.Context{Dir: dir}, Dockerfile: dir + "/Dockerfile", Platforms: []string{platform},
		Contexts: map[string]target.Context{"more": {Dir: dir + "/src"}, "code": {Remote: "https://example.com/code.git#main"}, "layout": writeLayout(t, dir+"/layout", nil)}}
	f, err := c.frontend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	read, err := f.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []*pb.Definition
	for _, d := range read.definitions {
		out = append(out, d)
	}
	return out
}

// FuzzDefinition reads definitions: equal ones are equal whatever is different in
// each request, and other names of sources make other definitions.
func FuzzDefinition(f *testing.F) {
	for _, dockerfile := range fuzzedDockerfiles {
		for _, d := range definitionsOf(f, dockerfile) {
			text, err := proto.Marshal(d)
			if err != nil {
				f.Fatal(err)
			}
			if _, err := parse(d); err != nil {
				f.Fatalf("%v for the definition of\n%s", err, dockerfile)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := &pb.Definition{}
		if proto.Unmarshal(text, d) != nil {
			return
		}
		_, _ = localSource(d) // it must not panic
		got, err := parse(d)
		if err != nil {
			if got != nil {
				t.Errorf("parse returns a definition and the error %v", err)
			}
			return
		}
		for _, s := range got.sources {
			for _, name := range selecting {
				_, _ = s.list(name) // it must not panic
			}
		}
		if again, err := parse(edit(t, d, anotherRequest)); err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("in another request the definition is %+v, %v, want %+v", again, err, got)
		}
		other, err := parse(edit(t, d, anotherName))
		if len(got.sources) > 0 && (err != nil || slices.EqualFunc(got.sources, other.sources, equalSources)) {
			t.Errorf("with other sources the definition is %+v, %v", other, err)
		}
	})
}

func equalSources(a, b source) bool { return a.String() == b.String() }

// anotherName changes the name of a source. What follows the tag of an image is a
// digest to which the tag was resolved, and does not count.
func anotherName(s *pb.SourceOp) { s.Identifier = strings.Replace(s.Identifier, "://", "://x", 1) }

// anotherRequest gives a source what it has in another request of the same build.
func anotherRequest(s *pb.SourceOp) {
	if s.Attrs == nil {
		s.Attrs = map[string]string{}
	}
	for _, name := range []string{pb.AttrLocalSessionID, pb.AttrLocalUniqueID, pb.AttrSharedKeyHint, pb.AttrOCILayoutSessionID} {
		s.Attrs[name] = "another"
	}
}

// edit returns a definition with each source changed.
func edit(t *testing.T, d *pb.Definition, change func(*pb.SourceOp)) *pb.Definition {
	t.Helper()
	out, names := &pb.Definition{}, map[string]string{}
	for _, text := range d.Def {
		op := &pb.Op{}
		if err := proto.Unmarshal(text, op); err != nil {
			t.Fatal(err)
		}
		for _, in := range op.Inputs {
			in.Digest = names[in.Digest]
		}
		if s := op.GetSource(); s != nil {
			change(s)
		}
		edited, err := proto.Marshal(op)
		if err != nil {
			t.Fatal(err)
		}
		names[digest.FromBytes(text).String()] = digest.FromBytes(edited).String()
		out.Def = append(out.Def, edited)
	}
	return out
}

// TestParseRefuses checks the errors for definitions that no frontend makes.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	op := func(op *pb.Op) []byte {
		text, err := proto.Marshal(op)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, test := range map[string]struct {
		def  []byte
		want string
	}{
		"no operation": {[]byte("x"), "reading the definition: "},
		"no scheme":    {op(&pb.Op{Op: &pb.Op_Source{Source: &pb.SourceOp{Identifier: "context"}}}), `the source "context" has no scheme`},
		"order":        {op(&pb.Op{Inputs: []*pb.Input{{Digest: firstDigest}}}), "comes before its input " + firstDigest},
	} {
		if _, err := parse(&pb.Definition{Def: [][]byte{test.def}}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: parse = %v, want an error with %q", name, err, test.want)
		}
	}
}
