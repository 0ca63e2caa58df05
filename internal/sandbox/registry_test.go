package sandbox_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/sirupsen/logrus"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

func TestPushedImageIsSeenByBothAPIs(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri := create(t, c, "shop/web")
	auth := login(t, c)
	img := randomImage(t)
	digest := push(t, uri+":one", img, auth)

	out, err := c.DescribeImages(t.Context(), &ecr.DescribeImagesInput{
		RepositoryName: aws.String("shop/web"),
		ImageIds:       []types.ImageIdentifier{{ImageTag: aws.String("one")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := out.ImageDetails[0]
	if *d.ImageDigest != digest || !slices.Equal(d.ImageTags, []string{"one"}) {
		t.Errorf("image is %s %v, want %s [one]", *d.ImageDigest, d.ImageTags, digest)
	}
	if *d.ImageSizeInBytes < 2048 {
		t.Errorf("size is %d, want at least the layers' 2048", *d.ImageSizeInBytes)
	}
	if age := time.Since(*d.ImagePushedAt); age < -time.Minute || age > time.Minute {
		t.Errorf("pushed %s ago", age)
	}

	got, err := c.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{
		RepositoryName: aws.String("shop/web"),
		ImageIds:       []types.ImageIdentifier{{ImageDigest: &digest}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.PutImage(t.Context(), &ecr.PutImageInput{
		RepositoryName: aws.String("shop/web"), ImageTag: aws.String("two"),
		ImageManifest: got.Images[0].ImageManifest, ImageManifestMediaType: got.Images[0].ImageManifestMediaType,
	})
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(reference(t, uri+":two"), auth)
	if err != nil {
		t.Fatal(err)
	}
	if got := digestOf(t, pulled); got != digest {
		t.Errorf("tag put through the API pulls %s, want %s", got, digest)
	}
	layers, err := pulled.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layers[0].Compressed(); err != nil {
		t.Errorf("pulling a layer: %v", err)
	}
	if tags := s.Tags("shop/web"); len(tags) != 2 || tags["one"] != digest || tags["two"] != digest {
		t.Errorf("tags are %v", tags)
	}
}

func TestCallsAreRecorded(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri := create(t, c, "web")
	auth := login(t, c)
	s.ResetCalls()
	push(t, uri+":one", randomImage(t), auth)

	count := map[string]int{}
	for _, call := range s.Calls() {
		if call.Service != "registry" || call.Status == 0 {
			t.Errorf("call %+v", call)
		}
		count[call.Action]++
		if call.Action == "PUT manifest" && (call.Repository != "web" || call.Reference != "one" || call.BytesIn < 100 || call.Status != http.StatusCreated) {
			t.Errorf("manifest put is recorded as %+v", call)
		}
		if call.Action == "PATCH upload" && call.BytesIn == 0 {
			t.Errorf("upload without bytes: %+v", call)
		}
	}
	for action, want := range map[string]int{"PUT manifest": 1, "POST upload": 3, "PATCH upload": 3, "PUT upload": 3} {
		if count[action] != want {
			t.Errorf("%d calls of %s, want %d; all: %v", count[action], action, want, count)
		}
	}

	s.ResetCalls()
	create(t, c, "other")
	if calls := s.Calls(); len(calls) != 1 || calls[0].Service != "ecr" || calls[0].Action != "CreateRepository" || calls[0].Repository != "other" || calls[0].Status != 200 {
		t.Errorf("calls are %+v", calls)
	}
}

func TestRegistryRefuses(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri := create(t, c, "web")
	auth := login(t, c)
	host, _, _ := strings.Cut(uri, "/")

	for _, test := range []struct {
		name, path string
		auth       remote.Option
		status     int
		code       transport.ErrorCode
	}{
		{"no token", uri + ":x", remote.WithAuthFromKeychain(anonymousKeychain{}), 401, transport.UnauthorizedErrorCode},
		{"no repository", host + "/missing:x", auth, 404, transport.NameUnknownErrorCode},
		{"no image", uri + ":missing", auth, 404, transport.ManifestUnknownErrorCode},
		{"another region's token", uri + ":x", login(t, client(s, "eu-west-1")), 401, transport.UnauthorizedErrorCode},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := remote.Get(reference(t, test.path), test.auth)
			wantRegistryError(t, err, test.status, test.code)
		})
	}

	t.Run("push to no repository", func(t *testing.T) {
		err := remote.Write(reference(t, host+"/missing:x"), randomImage(t), auth)
		wantRegistryError(t, err, 404, transport.NameUnknownErrorCode)
	})
	t.Run("expired token", func(t *testing.T) {
		s.Advance(12*time.Hour + time.Second)
		_, err := remote.Get(reference(t, uri+":x"), auth)
		wantRegistryError(t, err, 403, transport.DeniedErrorCode)
		if !strings.Contains(err.Error(), "Your authorization token has expired. Reauthenticate and try again.") {
			t.Errorf("error is %v", err)
		}
	})
}

func wantRegistryError(t *testing.T, err error, status int, code transport.ErrorCode) {
	t.Helper()
	var e *transport.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want %d %s", err, status, code)
	}
	if e.StatusCode != status || len(e.Errors) == 0 || e.Errors[0].Code != code {
		t.Errorf("got %v, want %d %s", err, status, code)
	}
}

func TestUnauthorizedNamesTheScheme(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	resp, err := http.Get(s.URL() + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	challenge := resp.Header.Get("Www-Authenticate")
	if resp.StatusCode != 401 || !strings.HasPrefix(challenge, `Basic realm="http://`) || !strings.HasSuffix(challenge, `,service="ecr.amazonaws.com"`) {
		t.Errorf("answer is %d with %q", resp.StatusCode, challenge)
	}
	if !bytes.Contains(body, []byte(`"code":"UNAUTHORIZED"`)) {
		t.Errorf("body is %s", body)
	}
}

func TestImmutableTagsThroughTheRegistry(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	out, err := c.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{
		RepositoryName:     aws.String("web"),
		ImageTagMutability: types.ImageTagMutabilityImmutableWithExclusion,
		ImageTagMutabilityExclusionFilters: []types.ImageTagMutabilityExclusionFilter{
			{Filter: aws.String("latest"), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard},
			{Filter: aws.String("dev-*"), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	uri, auth := *out.Repository.RepositoryUri, login(t, c)
	first, second := randomImage(t), randomImage(t)
	for _, tag := range []string{"abc", "latest", "dev-1"} {
		push(t, uri+":"+tag, first, auth)
	}
	push(t, uri+":latest", second, auth)
	push(t, uri+":dev-1", second, auth)
	push(t, uri+":abc", first, auth) // the same again does not move the tag

	err = remote.Write(reference(t, uri+":abc"), second, auth)
	wantRegistryError(t, err, 400, transport.TagInvalidErrorCode)
	if want := "The image tag 'abc' already exists in the 'web' repository and cannot be overwritten because the tag is immutable."; !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v", err)
	}
	if got := s.Tags("web"); got["abc"] != digestOf(t, first) || got["latest"] != digestOf(t, second) {
		t.Errorf("tags are %v", got)
	}
}

func TestIndexNeedsAndHoldsItsImages(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	index, err := random.Index(512, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	mediaType, err := index.MediaType()
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.PutImage(t.Context(), &ecr.PutImageInput{
		RepositoryName: aws.String("web"), ImageManifest: aws.String(string(manifest)), ImageManifestMediaType: aws.String(string(mediaType)),
	})
	wantCode(t, err, "ReferencedImagesNotFoundException")

	if err := remote.WriteIndex(reference(t, uri+":all"), index, auth); err != nil {
		t.Fatal(err)
	}
	im, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	child := im.Manifests[0].Digest.String()
	del, err := c.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{
		RepositoryName: aws.String("web"), ImageIds: []types.ImageIdentifier{{ImageDigest: &child}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(del.Failures) != 1 || del.Failures[0].FailureCode != types.ImageFailureCodeImageReferencedByManifestList {
		t.Errorf("deleting a child: %+v", del)
	}
	del, err = c.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{
		RepositoryName: aws.String("web"),
		ImageIds:       []types.ImageIdentifier{{ImageTag: aws.String("all")}, {ImageDigest: &child}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(del.Failures) != 0 || len(del.ImageIds) != 2 {
		t.Errorf("deleting index and child: %+v", del)
	}
}

func TestArchivedImageCannotBePulled(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	digest := push(t, uri+":one", randomImage(t), auth)
	post(t, s.URL()+"/_sandbox/archive?repository=web&digest="+digest, http.StatusNoContent)

	_, err := remote.Get(reference(t, uri+":one"), auth)
	wantRegistryError(t, err, 403, transport.DeniedErrorCode)
	got, err := c.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{
		RepositoryName: aws.String("web"), ImageIds: []types.ImageIdentifier{{ImageDigest: &digest}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Images) != 0 || len(got.Failures) != 1 {
		t.Errorf("manifest of an archived image: %+v", got)
	}

	_, err = c.UpdateImageStorageClass(t.Context(), &ecr.UpdateImageStorageClassInput{
		RepositoryName: aws.String("web"), ImageId: &types.ImageIdentifier{ImageDigest: &digest},
		TargetStorageClass: types.TargetStorageClassStandard,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Get(reference(t, uri+":one"), auth); err != nil {
		t.Errorf("after restoring: %v", err)
	}
}

func TestAccountsAndRegionsAreApart(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	home, abroad := client(s, "us-east-1"), client(s, "eu-west-1")
	homeURI, abroadURI := create(t, home, "web"), create(t, abroad, "web")
	other, err := home.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{
		RegistryId: aws.String("111122223333"), RepositoryName: aws.String("web"),
	})
	if err != nil {
		t.Fatal(err)
	}
	uris := []string{homeURI, abroadURI, *other.Repository.RepositoryUri}
	slices.Sort(uris)
	if len(slices.Compact(uris)) != 3 {
		t.Fatalf("repositories share an address: %v", uris)
	}
	if want := "arn:aws:ecr:us-east-1:111122223333:repository/web"; *other.Repository.RepositoryArn != want {
		t.Errorf("ARN is %s, want %s", *other.Repository.RepositoryArn, want)
	}

	img := randomImage(t)
	push(t, *other.Repository.RepositoryUri+":one", img, login(t, home))
	push(t, abroadURI+":one", img, login(t, abroad))
	if got := s.Tags("web"); len(got) != 0 {
		t.Errorf("home has tags %v", got)
	}
	token, err := abroad.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	if got := *token.AuthorizationData[0].ProxyEndpoint; got+"/web" != "http://"+abroadURI {
		t.Errorf("proxy endpoint %s does not go with %s", got, abroadURI)
	}
}

func TestPublicAddr(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{PublicAddr: "127.0.0.1:9"})
	c := client(s, "us-east-1")
	if uri := create(t, c, "web"); uri != "127.0.0.1:9/web" {
		t.Errorf("uri is %s, want 127.0.0.1:9/web", uri)
	}
	out, err := c.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	if got := *out.AuthorizationData[0].ProxyEndpoint; got != "http://127.0.0.1:9" {
		t.Errorf("proxy endpoint is %s, want http://127.0.0.1:9", got)
	}
}

func TestListsOfTheRegistryAPI(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	create(t, c, "web/sub")
	img := randomImage(t)
	for _, tag := range []string{"a", "b", "c"} {
		push(t, uri+":"+tag, img, auth)
	}
	repository := reference(t, uri).Context()
	tags, err := remote.List(repository, auth, remote.WithPageSize(2))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(tags, []string{"a", "b", "c"}) {
		t.Errorf("tags are %v, want a, b, c", tags)
	}
	names, err := remote.Catalog(t.Context(), repository.Registry, auth)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(names, []string{"web", "web/sub"}) {
		t.Errorf("repositories are %v, want web, web/sub", names)
	}
}

func TestMountNeedsTheAccountSetting(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	from, to, auth := create(t, c, "from"), create(t, c, "to"), login(t, c)
	img := randomImage(t)
	push(t, from+":x", img, auth)
	pulled, err := remote.Image(reference(t, from+":x"), auth)
	if err != nil {
		t.Fatal(err)
	}
	uploads := func(tag string) (n int) {
		s.ResetCalls()
		push(t, to+":"+tag, pulled, auth)
		for _, call := range s.Calls() {
			if call.Action == "PATCH upload" {
				n++
			}
		}
		return n
	}
	if n := uploads("one"); n != 3 {
		t.Errorf("%d uploads without the setting, want 3", n)
	}
	_, err = c.PutAccountSetting(t.Context(), &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: aws.String("ENABLED")})
	if err != nil {
		t.Fatal(err)
	}
	to = create(t, c, "to2")
	if n := uploads("two"); n != 0 {
		t.Errorf("%d uploads with the setting, want mounts", n)
	}
}

func TestServerKeepsQuiet(t *testing.T) {
	var log bytes.Buffer
	logrus.SetOutput(&log)
	t.Cleanup(func() { logrus.SetOutput(os.Stderr) })
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	push(t, uri+":x", randomImage(t), auth)
	if _, err := remote.Get(reference(t, uri+":missing"), auth); err == nil {
		t.Error("a missing tag was found")
	}
	if log.Len() != 0 {
		t.Errorf("the registry logs:\n%s", log.String())
	}
}

func TestCloseRemovesBlobsAndFreesThePort(t *testing.T) {
	dir := t.TempDir()
	s, err := sandbox.Start(t.Context(), sandbox.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := client(s, "us-east-1")
	push(t, create(t, c, "web")+":x", randomImage(t), login(t, c))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	again, err := sandbox.Start(t.Context(), sandbox.Options{Addr: strings.TrimPrefix(s.URL(), "http://")})
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStartRefuses(t *testing.T) {
	for _, o := range []sandbox.Options{
		{Addr: "nonsense"},
		{Account: "12"},
		{PublicAddr: "nohost"},
		{TokenLifetime: -1},
		{Region: "../up"},
		{Addr: "127.0.0.1:99999"},
	} {
		s, err := sandbox.Start(t.Context(), o)
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, sandbox.ErrOption) {
			t.Errorf("%+v: got %v, want ErrOption", o, err)
		}
	}
}

func post(t *testing.T, url string, status int) string {
	t.Helper()
	resp, err := http.Post(url, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != status {
		t.Fatalf("POST %s: %d, want %d: %s", url, resp.StatusCode, status, body)
	}
	return string(body)
}
