package referrers

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/registry"
)

// fixture is a repository of the sandbox with one image.
type fixture struct {
	t       *testing.T
	server  *sandbox.Server
	client  *ecr.Client
	repo    registry.Repository
	subject ocispecs.Descriptor
}

func newFixture(t *testing.T, mutability types.ImageTagMutability) *fixture {
	t.Helper()
	server, clients := testkit.StartECR(t)
	client := clients("")
	if _, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("shop/web"), ImageTagMutability: mutability}); err != nil {
		t.Fatal(err)
	}
	found, _, err := registry.Find(t.Context(), clients, []registry.Ref{{Name: "shop/web"}})
	if err != nil {
		t.Fatal(err)
	}
	repo := found[registry.Ref{Name: "shop/web"}]
	pushed := testkit.PushImage(t, repo.URI, testkit.ECRLogin(t, client), "latest")
	out, err := client.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: &repo.Name, ImageIds: []types.ImageIdentifier{{ImageDigest: &pushed}}})
	if err != nil {
		t.Fatal(err)
	}
	image := out.Images[0]
	server.ResetCalls()
	return &fixture{t, server, client, repo, ocispecs.Descriptor{
		MediaType: *image.ImageManifestMediaType, Digest: digest.Digest(pushed), Size: int64(len(*image.ImageManifest)),
	}}
}

// write stores a document; first says that the repository has no artifact.
func (f *fixture) write(document string, first bool) string {
	f.t.Helper()
	if err := Upload(f.t.Context(), f.client, f.repo, []byte(document), first); err != nil {
		f.t.Fatal(err)
	}
	written, err := Write(f.t.Context(), f.client, f.repo, f.subject, []byte(document))
	if err != nil {
		f.t.Fatal(err)
	}
	return written
}

func (f *fixture) list() []Artifact {
	f.t.Helper()
	found, err := List(f.t.Context(), f.client, f.repo, f.subject.Digest.String())
	if err != nil {
		f.t.Fatal(err)
	}
	return found
}

// TestWriteAndRead writes a document twice, also where no tag moves, and reads
// it. It counts the calls.
func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	for _, mutability := range []types.ImageTagMutability{types.ImageTagMutabilityMutable, types.ImageTagMutabilityImmutable} {
		t.Run(string(mutability), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, mutability)
			first := f.write("inputs", true)
			if n := len(f.server.Calls()); n != 7 {
				t.Errorf("the first artifact took %d calls, want 7: %v", n, f.server.Calls())
			}
			f.server.ResetCalls()
			if second := f.write("inputs", false); second != first {
				t.Errorf("the same document has the artifacts %s and %s", first, second)
			}
			other := f.write("other inputs", false)
			if n := len(f.server.Calls()); n != 8 || other == first {
				t.Errorf("two artifacts took %d calls, want 8: %v", n, f.server.Calls())
			}
			if tags := f.server.Tags("shop/web"); len(tags) != 1 {
				t.Errorf("the tags are %v, want latest alone", tags)
			}
			f.server.ResetCalls()
			found := f.list()
			contents := map[string]string{}
			for _, a := range found {
				data, err := Read(t.Context(), f.client, f.repo, a)
				if err != nil {
					t.Fatal(err)
				}
				contents[a.Digest] = string(data)
			}
			if len(contents) != 2 || contents[first] != "inputs" || contents[other] != "other inputs" {
				t.Errorf("the artifacts have %v", contents)
			}
			if n := len(f.server.Calls()); n != 1+2*2 {
				t.Errorf("a list and two documents took %d calls, want 5: %v", n, f.server.Calls())
			}
			if err := Delete(t.Context(), f.client, f.repo, found); err != nil {
				t.Fatal(err)
			}
			if left := f.list(); len(left) != 0 || f.server.Tags("shop/web")["latest"] != f.subject.Digest.String() {
				t.Errorf("after they were deleted, the artifacts are %v, and the tags %v", left, f.server.Tags("shop/web"))
			}
			if err := Delete(t.Context(), f.client, f.repo, found); err != nil {
				t.Errorf("deleting what is gone: %v", err)
			}
		})
	}
}

// TestListLeavesOutOthers finds no artifact that it cannot read.
func TestListLeavesOutOthers(t *testing.T) {
	t.Parallel()
	lists := listing{
		{ArtifactType: aws.String(ArtifactType), Digest: aws.String("sha256:a")},
		{ArtifactType: aws.String(ArtifactType), Digest: aws.String("sha256:b"), Annotations: map[string]string{layerAnnotation: "../x"}},
		{ArtifactType: aws.String("application/vnd.other"), Digest: aws.String("sha256:c"), Annotations: map[string]string{layerAnnotation: digest.FromString("").String()}},
		{ArtifactType: aws.String(ArtifactType), Digest: aws.String("sha256:d"), Annotations: map[string]string{layerAnnotation: digest.FromString("").String()}},
	}
	found, err := List(t.Context(), lists, registry.Repository{}, "sha256:x")
	if err != nil || len(found) != 1 || found[0].Digest != "sha256:d" {
		t.Errorf("List returned %v, %v; want the last one", found, err)
	}
}

// listing is an answer of ListImageReferrers.
type listing []types.ImageReferrer

func (l listing) ListImageReferrers(context.Context, *ecr.ListImageReferrersInput, ...func(*ecr.Options)) (*ecr.ListImageReferrersOutput, error) {
	return &ecr.ListImageReferrersOutput{Referrers: l}, nil
}

func (l listing) GetDownloadUrlForLayer(context.Context, *ecr.GetDownloadUrlForLayerInput, ...func(*ecr.Options)) (*ecr.GetDownloadUrlForLayerOutput, error) {
	return nil, errors.New("not needed")
}

// address is an answer of GetDownloadUrlForLayer.
type address struct {
	listing
	url string
}

func (a address) GetDownloadUrlForLayer(context.Context, *ecr.GetDownloadUrlForLayerInput, ...func(*ecr.Options)) (*ecr.GetDownloadUrlForLayerOutput, error) {
	return &ecr.GetDownloadUrlForLayerOutput{DownloadUrl: &a.url}, nil
}

// TestReadRefuses returns errors without the signature of the address.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, _ = w.Write(bytes.Repeat([]byte("x"), maxDocument+1))
		case "/other":
			_, _ = w.Write([]byte("other"))
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	a := Artifact{Digest: "sha256:a", layer: digest.FromString("document")}
	for url, want := range map[string]string{
		"":                                "without the address",
		server.URL + "/large?sig=SECRET":  "more than 8 MiB",
		server.URL + "/other?sig=SECRET":  "does not have the digest",
		server.URL + "/denied?sig=SECRET": "403",
		"http://127.0.0.1:1/x?sig=SECRET": "refused",
		"http://[::1/x?sig=SECRET":        "not valid",
	} {
		data, err := Read(t.Context(), address{url: url}, registry.Repository{}, a)
		if err == nil || data != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("Read of %s returned %d bytes, %v; want an error with %q", url, len(data), err, want)
		}
	}
}

// TestLostAnswers loses the answer of each call once.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, types.ImageTagMutabilityMutable)
			f.write("before", true)
			lossy := ecr.New(f.client.Options(), func(o *ecr.Options) {
				o.RetryMaxAttempts = 3
				o.HTTPClient, o.Retryer = &losing{action: action}, retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 1 })
			})
			written, err := Write(t.Context(), lossy, f.repo, f.subject, []byte("inputs"))
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range f.list() {
				if a.Digest == written {
					return
				}
			}
			t.Errorf("%s is not among %v", written, f.list())
		})
	}
}

// losing loses the answer of the first request of an action.
type losing struct {
	action string
	once   sync.Once
}

func (l *losing) Do(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+l.action) {
		return resp, err
	}
	l.once.Do(func() {
		err = errors.Join(errors.New("read: connection reset by peer"), resp.Body.Close())
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}
