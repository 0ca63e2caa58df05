package inputs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"slipway/build/target"
)

// TestRecordHasNoValues reads the text of a record: it confirms no value of an
// argument and no content of a file.
func TestRecordHasNoValues(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-of-the-argument"
	p := newProject(t)
	p.write("src/app.py", secret)
	p.target.Args = map[string]string{"LEVEL": secret, "UNUSED": secret}
	r := p.known().Record()
	data, err := r.Encode()
	must(t, err)
	text := fmt.Sprintf("%s%+v%+v", data, *r, *kept(t, p.known()))
	sum := sha256.Sum256([]byte(secret))
	for _, clear := range []string{secret, hex.EncodeToString(sum[:]), hex.EncodeToString([]byte(secret))} {
		if strings.Contains(text, clear) {
			t.Errorf("the record has %s: %s", clear, text)
		}
	}
	if r.Arguments["LEVEL"] == "" || len(r.Arguments["LEVEL"]) != argumentSum || r.Arguments["LEVEL"] == r.Arguments["UNUSED"] {
		t.Errorf("the checksums of the arguments are %v, want short ones that differ by name", r.Arguments)
	}
}

// TestRecordIsReproducible encodes the same inputs twice.
func TestRecordIsReproducible(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	first, err := p.known().Record().Encode()
	must(t, err)
	second, err := p.known().Record().Encode()
	must(t, err)
	if !bytes.Equal(first, second) {
		t.Error("the same inputs have records of other bytes")
	}
}

// TestRecordOfManyFiles leaves out files that are too many, and still says that
// some have changed.
func TestRecordOfManyFiles(t *testing.T) {
	t.Parallel()
	many := func(n int) *Inputs {
		i := &Inputs{Files: map[string]string{}, Trees: map[string]string{"linux/amd64 context": fmt.Sprint(n)}}
		random := rand.NewChaCha8([32]byte{})
		for range n {
			name := make([]byte, 16)
			random.Read(name)
			i.Files[hex.EncodeToString(name)] = "sum"
		}
		return i
	}
	few, large := many(40_000), many(240_000)
	for _, i := range []*Inputs{few, large} {
		data, err := i.Record().Encode()
		must(t, err)
		if len(data) > maxRecord {
			t.Errorf("the record has %d bytes, want at most %d", len(data), maxRecord)
		}
	}
	if r := kept(t, few); len(r.Files) != 40_000 || r.FilesLeftOut {
		t.Errorf("the record has %d files, left out: %v; want all", len(r.Files), r.FilesLeftOut)
	}
	r := kept(t, large)
	if len(r.Files) != 0 || !r.FilesLeftOut {
		t.Errorf("the record has %d files, left out: %v; want none", len(r.Files), r.FilesLeftOut)
	}
	if got := strings.Join(few.Record().Changes(r), ", "); got != "files of the context" {
		t.Errorf("changes %q, want files of the context", got)
	}
	if got := large.Record().Changes(r); len(got) != 0 {
		t.Errorf("changes %q between the same inputs", got)
	}
}

// TestChangesOfManyFiles finishes where every file of many directories differs.
func TestChangesOfManyFiles(t *testing.T) {
	t.Parallel()
	before, after := &Inputs{Files: map[string]string{}}, &Inputs{Files: map[string]string{}}
	for d := range 10_000 {
		dir := fmt.Sprintf("d%d/", d)
		for _, name := range []string{dir, dir + "a", dir + "b"} {
			before.Files[name], after.Files[name] = "1", "2"
		}
	}
	if got := after.Record().Changes(before.Record()); len(got) != 20_000 || got[0] != "d0/a" {
		t.Errorf("%d changes, the first %q; want the 20000 files without their directories", len(got), got[0])
	}
}

// TestLinkChanges names the component whose image is a context, and not the steps.
func TestLinkChanges(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	base := p.target
	base.Service = "Base"
	p.target.DockerfileInline, p.target.Dockerfile = "FROM base\nCOPY lock /lock\n", ""
	p.target.Contexts = map[string]target.Context{"base": {Service: "Base"}, "other": {Service: "Base"}}
	before := p.read(base).Inputs
	p.write("src/app.py", "changed")
	after := p.read(base).Inputs
	if got := strings.Join(after.Record().Changes(kept(t, before)), ", "); got != "image of Base" || before.Key() == after.Key() {
		t.Errorf("changes %q, want image of Base", got)
	}
}

// TestNamesThatAreNotUTF8 compares a name that JSON cannot have.
func TestNamesThatAreNotUTF8(t *testing.T) {
	t.Parallel()
	i := &Inputs{Files: map[string]string{"a\xff\xfe": "1"}}
	if got := i.Record().Changes(kept(t, i)); len(got) != 0 {
		t.Errorf("changes %q between the same inputs", got)
	}
}

// FuzzDecodeRecord reads what anybody may have pushed.
func FuzzDecodeRecord(f *testing.F) {
	data, err := (&Inputs{Files: map[string]string{"a": "1"}}).Record().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := DecodeRecord(data); err == nil {
			r.Changes(&Record{})
		}
	})
}
