package sandbox_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ggcr "github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// signatureType is the type of the artifacts of signed.
const signatureType = "application/vnd.example.signature"

// signed pushes an image, and two artifacts that refer to it: one of
// signatureType and another one.
func signed(t *testing.T, uri, tag string, auth remote.Option) (digest, signature, other string) {
	t.Helper()
	img := randomImage(t)
	subject, err := partial.Descriptor(img)
	if err != nil {
		t.Fatal(err)
	}
	refer := func(config ggcr.MediaType) string {
		artifact := mutate.ConfigMediaType(mutate.MediaType(randomImage(t), ggcr.OCIManifestSchema1), config)
		return push(t, uri+"@"+digestOf(t, mutate.Subject(artifact, *subject).(v1.Image)), mutate.Subject(artifact, *subject).(v1.Image), auth)
	}
	return push(t, uri+":"+tag, img, auth), refer(signatureType), refer("application/vnd.example.other")
}

func TestReferrers(t *testing.T) {
	t.Parallel()
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	digest, signature, other := signed(t, uri, "one", auth)
	for _, test := range []struct {
		filter map[string]string
		want   []string
	}{
		{nil, []string{signature, other}},
		{map[string]string{"artifactType": signatureType}, []string{signature}},
		{map[string]string{"artifactType": "application/vnd.example.none"}, nil},
	} {
		var opts []remote.Option
		for key, value := range test.filter {
			opts = append(opts, remote.WithFilter(key, value))
		}
		index, err := remote.Referrers(reference(t, uri+"@"+digest).(name.Digest), append(opts, auth)...)
		if err != nil {
			t.Fatal(err)
		}
		m, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range m.Manifests {
			got = append(got, d.Digest.String())
		}
		want := slices.Sorted(slices.Values(test.want))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("referrers of %v are %v, want %v", test.filter, got, want)
		}
	}
	if got := s.Tags("web"); len(got) != 1 {
		t.Errorf("tags are %v: the client took the registry for one without referrers", got)
	}
}

// TestReferrersHeaders checks the headers by which clients know the referrers API.
func TestReferrersHeaders(t *testing.T) {
	t.Parallel()
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	var manifest atomic.Pointer[http.Header] // of the answer to the manifest's PUT; layers are sent at the same time
	record := remote.WithTransport(roundTrips(func(r *http.Request) (*http.Response, error) {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil && r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/v2/web/manifests/") {
			manifest.Store(&resp.Header)
		}
		return resp, err
	}))
	img := randomImage(t)
	subject, err := partial.Descriptor(img)
	if err != nil {
		t.Fatal(err)
	}
	artifact := mutate.Subject(mutate.MediaType(randomImage(t), ggcr.OCIManifestSchema1), *subject).(v1.Image)
	digest := digestOf(t, artifact)
	if err := remote.Write(reference(t, uri+"@"+digest), artifact, auth, record); err != nil {
		t.Fatal(err)
	}
	if got := manifest.Load().Get("OCI-Subject"); got != subject.Digest.String() {
		t.Errorf("OCI-Subject is %q, want %s", got, subject.Digest)
	}
	for query, want := range map[string]int{"": 1, "?artifactType=x": 0, "?artifactType=x&artifactType=application/vnd.docker.container.image.v1%2Bjson": 1} {
		resp, body := getWith(t, testkit.ECRLogin(t, c), s.URL()+"/v2/web/referrers/"+subject.Digest.String()+query)
		if got := resp.Header.Get("OCI-Filters-Applied"); (got == "artifactType") != (query != "") {
			t.Errorf("%q: OCI-Filters-Applied is %q", query, got)
		}
		if got := strings.Count(body, `"digest"`); got != want {
			t.Errorf("%q lists %d artifacts, want %d: %s", query, got, want, body)
		}
	}
	if resp, body := getWith(t, testkit.ECRLogin(t, c), s.URL()+"/v2/web/referrers/latest"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("referrers of a tag: status %d, want 400: %s", resp.StatusCode, body)
	}
}

// getWith returns the answer to a GET with a login.
func getWith(t *testing.T, auth authn.Authenticator, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	config, err := auth.Authorization()
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Basic "+config.Auth)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

type roundTrips func(*http.Request) (*http.Response, error)

func (f roundTrips) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestListImageReferrers(t *testing.T) {
	t.Parallel()
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	digest, signature, other := signed(t, create(t, c, "web"), "one", login(t, c))
	list := func(in ecr.ListImageReferrersInput) *ecr.ListImageReferrersOutput {
		t.Helper()
		in.RepositoryName = aws.String("web")
		if in.SubjectId == nil {
			in.SubjectId = &types.SubjectIdentifier{ImageDigest: &digest}
		}
		out, err := c.ListImageReferrers(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	page := list(ecr.ListImageReferrersInput{MaxResults: aws.Int32(1)})
	rest := list(ecr.ListImageReferrersInput{MaxResults: aws.Int32(1), NextToken: page.NextToken})
	got := []string{*page.Referrers[0].Digest, *rest.Referrers[0].Digest}
	if want := slices.Sorted(slices.Values([]string{signature, other})); !slices.Equal(got, want) || rest.NextToken != nil {
		t.Errorf("the pages have %v, want %v", got, want)
	}
	filtered := list(ecr.ListImageReferrersInput{Filter: &types.ListImageReferrersFilter{ArtifactTypes: []string{signatureType}}})
	if len(filtered.Referrers) != 1 || *filtered.Referrers[0].Digest != signature || *filtered.Referrers[0].ArtifactType != signatureType {
		t.Errorf("referrers are %+v, want %s", filtered.Referrers, signature)
	}
	if err := s.Archive("web", signature); err != nil {
		t.Fatal(err)
	}
	if got := list(ecr.ListImageReferrersInput{}).Referrers; len(got) != 1 {
		t.Errorf("with an archived one, referrers are %+v, want one", got)
	}
	none := types.SubjectIdentifier{ImageDigest: aws.String(other)}
	if got := list(ecr.ListImageReferrersInput{SubjectId: &none}).Referrers; len(got) != 0 {
		t.Errorf("referrers of an image without any are %+v", got)
	}
	_, err := c.ListImageReferrers(t.Context(), &ecr.ListImageReferrersInput{
		RepositoryName: aws.String("web"), SubjectId: &types.SubjectIdentifier{ImageDigest: aws.String("one")},
	})
	wantCode(t, err, "InvalidParameterException")
}

// TestArtifactsFollowTheirSubject deletes one subject and archives another: a
// day later a lifecycle policy has done the same with their artifacts.
func TestArtifactsFollowTheirSubject(t *testing.T) {
	t.Parallel()
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	policy := `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["none"],"countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`
	if _, err := c.PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: aws.String("web"), LifecyclePolicyText: &policy}); err != nil {
		t.Fatal(err)
	}
	deleted, gone, alsoGone := signed(t, uri, "deleted", auth)
	archived, asleep, alsoAsleep := signed(t, uri, "archived", auth)
	kept, stays, alsoStays := signed(t, uri, "kept", auth)
	if _, err := c.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: aws.String("web"), ImageIds: []types.ImageIdentifier{{ImageDigest: &deleted}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Archive("web", archived); err != nil {
		t.Fatal(err)
	}
	s.Advance(time.Hour)
	if got := s.Digests("web"); !slices.Contains(got, gone) {
		t.Errorf("an artifact went with its subject at once: %v", got)
	}
	s.Advance(24 * time.Hour)
	want := slices.Sorted(slices.Values([]string{archived, asleep, alsoAsleep, kept, stays, alsoStays}))
	if got := s.Digests("web"); !slices.Equal(got, want) {
		t.Errorf("images are %v, want %v without %s and %s", got, want, gone, alsoGone)
	}
	out, err := c.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String("web")})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.ImageDetails) != 3 {
		t.Errorf("%d images are active, want %s and its artifacts", len(out.ImageDetails), kept)
	}
}

// TestLayerUpload uploads a layer with the ECR API.
func TestLayerUpload(t *testing.T) {
	t.Parallel()
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	create(t, c, "web")
	web, data := aws.String("web"), []byte("a layer")
	start := func() *string {
		t.Helper()
		out, err := c.InitiateLayerUpload(t.Context(), &ecr.InitiateLayerUploadInput{RepositoryName: web})
		if err != nil {
			t.Fatal(err)
		}
		return out.UploadId
	}
	upload := func(id *string, first int64) error {
		_, err := c.UploadLayerPart(t.Context(), &ecr.UploadLayerPartInput{
			RepositoryName: web, UploadId: id, PartFirstByte: &first, PartLastByte: aws.Int64(first + int64(len(data)) - 1), LayerPartBlob: data,
		})
		return err
	}
	complete := func(id *string, digest string) error {
		_, err := c.CompleteLayerUpload(t.Context(), &ecr.CompleteLayerUploadInput{RepositoryName: web, UploadId: id, LayerDigests: []string{digest}})
		return err
	}
	const digest = "sha256:48b0c5a5c4c8ea19a1d4ae4c4c7b1b1ea1b2ab9f1a4dd0b4c1ff7d2e1f2a4f3a"
	id := start()
	wantCode(t, complete(id, digest), "EmptyUploadException")
	wantCode(t, upload(id, 1), "InvalidLayerPartException")
	wantCode(t, upload(aws.String("none"), 0), "UploadNotFoundException")
	if err := upload(id, 0); err != nil {
		t.Fatal(err)
	}
	wantCode(t, complete(id, digest), "InvalidLayerException")
	right, _, err := v1.SHA256(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := complete(id, right.String()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, complete(id, right.String()), "UploadNotFoundException")
	again := start()
	if err := upload(again, 0); err != nil {
		t.Fatal(err)
	}
	wantCode(t, complete(again, right.String()), "LayerAlreadyExistsException")
	out, err := c.BatchCheckLayerAvailability(t.Context(), &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: web, LayerDigests: []string{right.String()}})
	if err != nil {
		t.Fatal(err)
	}
	if l := out.Layers[0]; l.LayerAvailability != types.LayerAvailabilityAvailable || *l.LayerSize != int64(len(data)) {
		t.Errorf("the layer is %+v", l)
	}
}
