package inspect

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"slipway/build/inputs"
	"slipway/internal/sandbox"
	sandboxecr "slipway/internal/sandbox/ecr"
	"slipway/internal/testkit"
	"slipway/registry"
	"slipway/registry/admission"
	"slipway/registry/referrers"
)

// fixture is a repository of the sandbox.
type fixture struct {
	t       *testing.T
	server  *sandbox.Server
	clients registry.Clients
	repo    registry.Repository
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	server, clients := testkit.StartECR(t)
	ref := registry.Ref{Name: "shop/web"}
	if _, err := clients("").CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String(ref.Name)}); err != nil {
		t.Fatal(err)
	}
	found, _, err := registry.Find(t.Context(), clients, []registry.Ref{ref})
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{t: t, server: server, clients: clients, repo: found[ref]}
}

func imageFor(t *testing.T, os, architecture, variant string) v1.Image {
	t.Helper()
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: os, Architecture: architecture, Variant: variant})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func (f *fixture) push(image remote.Taggable) Component {
	f.t.Helper()
	tag := f.repo.URI.Tag("one")
	auth := remote.WithAuth(testkit.ECRLogin(f.t, f.clients("")))
	var err error
	c := Component{repo: f.repo}
	switch image := image.(type) {
	case v1.Image:
		err = remote.Write(tag, image, auth)
	case v1.ImageIndex:
		c.index, err = true, remote.WriteIndex(tag, image, auth)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	c.Digest = f.server.Tags(f.repo.Name)["one"]
	return c
}

// read returns the details of a component, and the kinds of those that cannot be read.
func (f *fixture) read(c Component) (Details, []string) {
	r := &reader{clients: f.clients, unread: map[string]error{}}
	d := r.details(f.t.Context(), &c)
	var unread []string
	for what := range r.unread {
		unread = append(unread, what)
	}
	slices.Sort(unread)
	return d, unread
}

// TestIndexDetails reads an index of two platforms with an attestation, which ECR
// does not scan.
func TestIndexDetails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	amd64, arm := imageFor(t, "linux", "amd64", ""), imageFor(t, "linux", "arm", "v7")
	platform := func(image v1.Image, p v1.Platform) mutate.IndexAddendum {
		return mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &p}}
	}
	c := f.push(mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		platform(amd64, v1.Platform{OS: "linux", Architecture: "amd64"}),
		platform(arm, v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}),
		mutate.IndexAddendum{Add: imageFor(t, "unknown", "unknown", ""), Descriptor: v1.Descriptor{
			Platform:    &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"},
		}},
	))
	second, err := arm.Digest()
	if err != nil {
		t.Fatal(err)
	}
	f.recordInputs(c, &inputs.Record{Images: map[string]string{"docker.io/library/alpine:3": "x"}, Digests: map[string]string{"docker.io/library/alpine:3": sum("alpine")}})
	if err := f.server.SetScan(f.repo.Name, second.String(), sandboxecr.Scan{Status: "COMPLETE", Counts: map[string]int32{"HIGH": 2}}); err != nil {
		t.Fatal(err)
	}
	if err := f.server.SetSigning(f.repo.Name, c.Digest, sandboxecr.Signing{Profile: "arn:x", Status: "FAILED", FailureCode: "Denied"}); err != nil {
		t.Fatal(err)
	}
	f.server.ResetCalls()
	d, unread := f.read(c)
	if len(unread) > 0 {
		t.Errorf("not read: %v", unread)
	}
	for got, want := range map[string]string{
		d.platforms(): "linux/amd64, linux/arm/v7", d.scan(): "linux/amd64 none; linux/arm/v7 complete: 2 high",
		d.baseImages(): "alpine:3@" + sum("alpine"), d.signature(): "failed: Denied",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	testkit.WantECRCalls(t, f.server, "DescribeImageScanFindings", 2)
	testkit.WantECRCalls(t, f.server, "DescribeImageSigningStatus", 1)
}

func (f *fixture) recordInputs(c Component, record *inputs.Record) {
	f.t.Helper()
	document, err := record.Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	subject := ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageIndex, Digest: digest.Digest(c.Digest), Size: 1}
	if _, err := referrers.Write(f.t.Context(), f.clients(""), f.repo, subject, document); err != nil {
		f.t.Fatal(err)
	}
}

// TestImageDetails reads images that are not an index: the platform is in the
// configuration, or nowhere.
func TestImageDetails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d, unread := f.read(f.push(imageFor(t, "linux", "arm64", "v8")))
	if got := d.platforms(); len(unread) > 0 || got != "linux/arm64/v8" || d.inputs != nil {
		t.Errorf("platforms %q, inputs %v, not read %v; want linux/arm64/v8 and no inputs", got, d.inputs, unread)
	}
	d, unread = f.read(f.push(imageFor(t, "", "", "")))
	if got := strings.Join(unread, " "); got != platformsOf || d.platforms() != admission.StatusUnknown || d.scan() != "none" {
		t.Errorf("platforms %q, scan %q, not read %q; want unknown platforms alone", d.platforms(), d.scan(), got)
	}
}

// TestUnreadDetails denies each action: the rest is still read.
func TestUnreadDetails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.push(imageFor(t, "linux", "amd64", ""))
	f.recordInputs(c, &inputs.Record{})
	for action, want := range map[string]string{
		"ecr:BatchGetImage":              "inputs platforms",
		"ecr:GetDownloadUrlForLayer":     "inputs platforms",
		"ecr:DescribeImageScanFindings":  "scans",
		"ecr:DescribeImageSigningStatus": "signatures",
	} {
		f.server.Deny()
		f.server.Deny(action)
		d, unread := f.read(c)
		if got := strings.Join(unread, " "); got != want {
			t.Errorf("%s denied: not read %q, want %q", action, got, want)
		}
		known := map[string]bool{
			"inputs": d.baseImages() != admission.StatusUnknown, "platforms": d.platforms() != admission.StatusUnknown,
			"scans": d.scan() != admission.StatusUnknown, "signatures": d.signature() != admission.StatusUnknown,
		}
		for what, known := range known {
			if known == strings.Contains(want, what) {
				t.Errorf("%s denied: %s known: %v", action, what, known)
			}
		}
	}
}
