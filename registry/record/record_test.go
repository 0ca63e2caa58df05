package record

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"slipway/internal/golden"
)

func example() Record {
	at := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	return Record{
		Revision: "1a2b3c4d5e6f", Project: "shop", Commit: strings.Repeat("1a2b", 10),
		Committed: at.Add(-time.Hour), Ancestors: []string{strings.Repeat("0f", 20)},
		Made: at, Started: at.Add(-time.Minute), Source: "https://example.com/shop.git", Builder: "shop:1234",
		Version: "v1.2.3", Engine: "buildkitd v0.34.2",
		Components: []Component{{"web", "shop/web", image("web").Digest.String()}, {"api", "shop/api", image("api").Digest.String()}},
		Names:      []string{"0a1b2c3d4e5f", "v1.0"},
	}
}

func image(content string) ocispecs.Descriptor {
	return ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageManifest, Digest: digest.FromString(content), Size: int64(len(content))}
}

// TestEncode: the manifest of a record is an index with one child, and says what
// the revision is.
func TestEncode(t *testing.T) {
	t.Parallel()
	manifest, err := example().Encode(image("web"))
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "record.json", append(slices.Clip(manifest), byte(10)))
	got, of, err := Decode(manifest)
	if want := example(); err != nil || !reflect.DeepEqual(got, want) || of.Digest != image("web").Digest.String() || of.Index != nil {
		t.Errorf("Decode returned %+v, %+v, %v, want %+v of the image", got, of, err, want)
	}
	if !Is(manifest) || Is([]byte(`{"manifests":[]}`)) || Is([]byte("?")) {
		t.Error("Is does not distinguish a record from other manifests")
	}
}

// TestEncodeFlat: the record of several platforms has the manifests of their
// index as children, and the index byte for byte.
func TestEncodeFlat(t *testing.T) {
	t.Parallel()
	index, err := json.MarshalIndent(ocispecs.Index{Manifests: []ocispecs.Descriptor{image("amd64"), image("arm64")}}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := example().EncodeFlat(index)
	if err != nil {
		t.Fatal(err)
	}
	var m ocispecs.Index
	if err := json.Unmarshal(manifest, &m); err != nil || len(m.Manifests) != 2 {
		t.Errorf("the record is %s, %v, want two children", manifest, err)
	}
	_, of, err := Decode(manifest)
	if err != nil || of.Digest != digest.FromBytes(index).String() || string(of.Index) != string(index) {
		t.Errorf("Decode returned %+v, %v, want the index", of, err)
	}
	for _, bad := range []string{"", "{}", "[]"} {
		if got, err := example().EncodeFlat([]byte(bad)); err == nil {
			t.Errorf("EncodeFlat(%q) returned %s, want an error", bad, got)
		}
	}
}

// TestDecodeOthers: what is not a record, or a damaged one, is an error.
func TestDecodeOthers(t *testing.T) {
	t.Parallel()
	manifest, err := example().Encode(image("web"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "{}", `{"manifests":[]}`,
		strings.Replace(string(manifest), ArtifactType, "application/x", 1),
		strings.Replace(string(manifest), "2026-11-27T10:00:00Z", "yesterday", 1),
		strings.Replace(string(manifest), annotationName, "x", 1),
		strings.Replace(string(manifest), `[{\"service`, `[{\"service\":1,\"service`, 1),
	} {
		if got, _, err := Decode([]byte(bad)); err == nil {
			t.Errorf("Decode(%q) returned %+v, want an error", bad, got)
		}
	}
}

// TestSource: no credential of an address is kept.
func TestSource(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"":                             "",
		"https://example.com/shop.git": "https://example.com/shop.git",
		"https://user:token@example.com/shop.git":  "https://example.com/shop.git",
		"https://token@example.com/shop?key=x#y":   "https://example.com/shop",
		"ssh://git@example.com:22/shop.git":        "ssh://example.com:22/shop.git",
		"git@example.com:shop/shop.git":            "git@example.com:shop/shop.git",
		"user:token@example.com:shop/shop.git":     "example.com:shop/shop.git",
		"/srv/git/shop.git":                        "/srv/git/shop.git",
		"bucket/source.zip?token=x":                "bucket/source.zip",
		"https://user:to ken@example.com/shop.git": "",
		"https://example.com/%zz":                  "",
		"arn:aws:s3:::bucket/source.zip":           "arn:aws:s3:::bucket/source.zip",
	} {
		if got := Source(address); got != want {
			t.Errorf("Source(%q) = %q, want %q", address, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	manifest, err := os.ReadFile("testdata/record.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(manifest)
	f.Fuzz(func(t *testing.T, manifest []byte) {
		r, _, err := Decode(manifest)
		if err != nil {
			return
		}
		again, err := r.Encode(image("web"))
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := Decode(again); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("Decode after Encode returned %+v, %v, want %+v", got, err, r)
		}
	})
}
