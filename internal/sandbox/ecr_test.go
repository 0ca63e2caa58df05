package sandbox_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

func TestRepositories(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{Region: "eu-central-1", Account: "123456789012"})
	c := client(s, "eu-central-1")
	ctx := t.Context()
	out, err := c.CreateRepository(ctx, &ecr.CreateRepositoryInput{
		RepositoryName:             aws.String("shop/web"),
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true},
		EncryptionConfiguration:    &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeAes256},
		ImageTagMutability:         types.ImageTagMutabilityImmutable,
		Tags:                       []types.Tag{{Key: aws.String("app"), Value: aws.String("shop")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := out.Repository
	if *r.RepositoryArn != "arn:aws:ecr:eu-central-1:123456789012:repository/shop/web" || *r.RegistryId != "123456789012" ||
		"http://"+*r.RepositoryUri != s.URL()+"/shop/web" || !r.ImageScanningConfiguration.ScanOnPush ||
		r.ImageTagMutability != types.ImageTagMutabilityImmutable || r.EncryptionConfiguration.EncryptionType != types.EncryptionTypeAes256 ||
		time.Since(*r.CreatedAt).Abs() > time.Minute {
		t.Errorf("repository is %+v", r)
	}

	_, err = c.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("shop/web")})
	wantCode(t, err, "RepositoryAlreadyExistsException")
	for _, bad := range []string{"x", "Shop", "shop//web", "shop/", "-web", "web_", strings.Repeat("a", 257)} {
		_, err = c.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &bad})
		wantCode(t, err, "InvalidParameterException")
	}
	_, err = c.CreateRepository(ctx, &ecr.CreateRepositoryInput{
		RepositoryName: aws.String("other"), EncryptionConfiguration: &types.EncryptionConfiguration{EncryptionType: "ROT13"},
	})
	wantCode(t, err, "InvalidParameterException")

	_, err = c.PutImageTagMutability(ctx, &ecr.PutImageTagMutabilityInput{
		RepositoryName: aws.String("shop/web"), ImageTagMutability: types.ImageTagMutabilityImmutableWithExclusion,
		ImageTagMutabilityExclusionFilters: []types.ImageTagMutabilityExclusionFilter{{Filter: aws.String("latest"), FilterType: "WILDCARD"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"shop/web"}})
	if err != nil {
		t.Fatal(err)
	}
	if f := found.Repositories[0].ImageTagMutabilityExclusionFilters; len(f) != 1 || *f[0].Filter != "latest" {
		t.Errorf("exclusions are %+v", f)
	}
	_, err = c.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"shop/web", "missing"}})
	wantCode(t, err, "RepositoryNotFoundException")
	if !strings.Contains(err.Error(), "The repository with name 'missing' does not exist in the registry with id '123456789012'") {
		t.Errorf("error is %v", err)
	}
	_, err = c.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: aws.String("12")})
	wantCode(t, err, "InvalidParameterException")

	_, err = c.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: aws.String("shop/web")})
	if err != nil {
		t.Fatal(err)
	}
	if left := s.Repositories(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestDeleteRepositoryForgetsItsImages(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	create(t, c, "web/sub")
	img := randomImage(t)
	push(t, uri+":one", img, auth)
	push(t, uri+"/sub:one", img, auth)
	_, err := c.DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: aws.String("web")})
	wantCode(t, err, "RepositoryNotEmptyException")
	if _, err := c.DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: aws.String("web"), Force: true}); err != nil {
		t.Fatal(err)
	}
	create(t, c, "web")
	if out := layers(t, c, "web", img); out.Layers[0].LayerAvailability != types.LayerAvailabilityUnavailable {
		t.Errorf("the new repository has the old one's layers: %+v", out.Layers)
	}
	if out := layers(t, c, "web/sub", img); out.Layers[0].LayerAvailability != types.LayerAvailabilityAvailable || *out.Layers[0].LayerSize == 0 {
		t.Errorf("the repository below lost its layers: %+v", out.Layers)
	}
}

func TestDownloadURL(t *testing.T) {
	t.Parallel()
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	img := randomImage(t)
	push(t, create(t, c, "web")+":one", img, login(t, c))
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	url := func(digest string) (string, error) {
		out, err := c.GetDownloadUrlForLayer(t.Context(), &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String("web"), LayerDigest: &digest})
		if err != nil {
			return "", err
		}
		return *out.DownloadUrl, nil
	}
	layer := m.Layers[0].Digest
	got, err := url(layer.String())
	if want := s.URL() + "/v2/web/blobs/" + layer.String() + "?X-Amz-Signature="; err != nil || !strings.HasPrefix(got, want) {
		t.Fatalf("the layer's URL is %s, %v, want %s…", got, err, want)
	}
	for address, status := range map[string]int{
		got:       http.StatusOK,
		got + "0": http.StatusUnauthorized,
		strings.Replace(got, layer.String(), m.Config.Digest.String(), 1): http.StatusUnauthorized,
	} {
		resp, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		sum, _, err := v1.SHA256(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != status || (status == http.StatusOK) != (sum == layer) {
			t.Errorf("GET %s: status %d, body %s; want %d", address, resp.StatusCode, sum, status)
		}
	}
	var none *types.LayersNotFoundException
	if _, err := url("sha256:" + strings.Repeat("0", 64)); !errors.As(err, &none) {
		t.Errorf("a layer that is not there: got error %v, want LayersNotFoundException", err)
	}
}

func layers(t *testing.T, c *ecr.Client, repository string, img v1.Image) *ecr.BatchCheckLayerAvailabilityOutput {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.BatchCheckLayerAvailability(t.Context(), &ecr.BatchCheckLayerAvailabilityInput{
		RepositoryName: &repository, LayerDigests: []string{m.Layers[0].Digest.String(), "nonsense"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Failures) != 1 || out.Failures[0].FailureCode != types.LayerFailureCodeInvalidLayerDigest {
		t.Errorf("failures are %+v", out.Failures)
	}
	return out
}

func TestPagesOfRepositories(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	for i := range 101 {
		create(t, c, fmt.Sprintf("web-%03d", i))
	}
	var sizes []int
	p := ecr.NewDescribeRepositoriesPaginator(c, &ecr.DescribeRepositoriesInput{})
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(out.Repositories))
	}
	if !slices.Equal(sizes, []int{100, 1}) {
		t.Errorf("pages of %v", sizes)
	}
	for _, in := range []*ecr.DescribeRepositoriesInput{
		{MaxResults: aws.Int32(1001)},
		{MaxResults: aws.Int32(0)},
		{NextToken: aws.String("%%")},
		{MaxResults: aws.Int32(1), RepositoryNames: []string{"web-000"}},
		{RepositoryNames: make([]string, 101)},
	} {
		_, err := c.DescribeRepositories(t.Context(), in)
		wantCode(t, err, "InvalidParameterException")
	}
}

func TestResourceTags(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	ctx := t.Context()
	create(t, c, "web")
	arn := aws.String("arn:aws:ecr:us-east-1:000000000000:repository/web")
	tag := func(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }
	if _, err := c.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{tag("b", "1"), tag("a", "2"), tag("b", "3")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UntagResource(ctx, &ecr.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	out, err := c.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Tags) != 1 || *out.Tags[0].Key != "b" || *out.Tags[0].Value != "3" {
		t.Errorf("tags are %+v", out.Tags)
	}
	_, err = c.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{tag("aws:x", "1")}})
	wantCode(t, err, "InvalidTagParameterException")
	var many []types.Tag
	for i := range 51 {
		many = append(many, tag(fmt.Sprint("k", i), "v"))
	}
	_, err = c.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: arn, Tags: many})
	wantCode(t, err, "TooManyTagsException")
	_, err = c.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:ecr:us-east-1:000000000000:repository/none")})
	wantCode(t, err, "RepositoryNotFoundException")
	_, err = c.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: aws.String("web")})
	wantCode(t, err, "InvalidParameterException")
}

func TestPutImage(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	img := randomImage(t)
	digest := push(t, uri+":one", img, auth)
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	put := func(in ecr.PutImageInput) error {
		in.RepositoryName = aws.String("web")
		if in.ImageManifest == nil {
			in.ImageManifest = aws.String(string(raw))
		}
		_, err := c.PutImage(t.Context(), &in)
		return err
	}
	wantCode(t, put(ecr.PutImageInput{ImageTag: aws.String("one")}), "ImageAlreadyExistsException")
	wantCode(t, put(ecr.PutImageInput{}), "ImageAlreadyExistsException")
	wantCode(t, put(ecr.PutImageInput{ImageTag: aws.String("two"), ImageDigest: aws.String("sha256:" + strings.Repeat("0", 64))}), "ImageDigestDoesNotMatchException")
	wantCode(t, put(ecr.PutImageInput{ImageTag: aws.String("-bad")}), "InvalidParameterException")
	wantCode(t, put(ecr.PutImageInput{ImageTag: aws.String("two"), ImageManifest: aws.String("text")}), "InvalidParameterException")
	wantCode(t, put(ecr.PutImageInput{ImageTag: aws.String("two"), ImageManifest: aws.String("{}")}), "InvalidParameterException")
	other, err := randomImage(t).RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, put(ecr.PutImageInput{ImageTag: aws.String("two"), ImageManifest: aws.String(string(other))}), "LayersNotFoundException")
	if err := put(ecr.PutImageInput{ImageTag: aws.String("two"), ImageDigest: &digest}); err != nil {
		t.Fatal(err)
	}
	if got := s.Tags("web"); len(got) != 2 || got["two"] != digest {
		t.Errorf("tags are %v", got)
	}

	_, err = c.PutImageTagMutability(t.Context(), &ecr.PutImageTagMutabilityInput{RepositoryName: aws.String("web"), ImageTagMutability: types.ImageTagMutabilityImmutable})
	if err != nil {
		t.Fatal(err)
	}
	second := randomImage(t)
	push(t, uri+":three", second, auth)
	raw, err = second.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, put(ecr.PutImageInput{ImageTag: aws.String("one")}), "ImageTagAlreadyExistsException")
}

func TestImagesByIDs(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	digest := push(t, uri+":one", randomImage(t), auth)
	other := push(t, uri+":two", randomImage(t), auth)
	none := "sha256:" + strings.Repeat("0", 64)
	get := func(accept []string, ids ...types.ImageIdentifier) (*ecr.BatchGetImageOutput, error) {
		return c.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String("web"), ImageIds: ids, AcceptedMediaTypes: accept})
	}
	out, err := get(nil,
		types.ImageIdentifier{ImageTag: aws.String("one")}, types.ImageIdentifier{ImageDigest: &other},
		types.ImageIdentifier{ImageTag: aws.String("none")}, types.ImageIdentifier{ImageDigest: &none},
		types.ImageIdentifier{ImageDigest: &other, ImageTag: aws.String("one")},
		types.ImageIdentifier{}, types.ImageIdentifier{ImageDigest: aws.String("sha256:1")}, types.ImageIdentifier{ImageTag: aws.String("a b")},
	)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Images) != 2 || *out.Images[0].ImageId.ImageDigest != digest || *out.Images[0].ImageId.ImageTag != "one" || out.Images[1].ImageId.ImageTag != nil {
		t.Errorf("images are %+v", out.Images)
	}
	var codes []string
	for _, f := range out.Failures {
		codes = append(codes, string(f.FailureCode))
	}
	if got := strings.Join(codes, " "); got != "ImageNotFound ImageNotFound ImageTagDoesNotMatchDigest MissingDigestAndTag InvalidImageDigest InvalidImageTag" {
		t.Errorf("failures are %s, want ImageNotFound ImageNotFound ImageTagDoesNotMatchDigest MissingDigestAndTag InvalidImageDigest InvalidImageTag", got)
	}
	out, err = get([]string{"application/vnd.oci.image.index.v1+json"}, types.ImageIdentifier{ImageTag: aws.String("one")})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Images) != 0 || len(out.Failures) != 1 {
		t.Errorf("media type that was not accepted: %+v", out)
	}
	_, err = get(nil, make([]types.ImageIdentifier, 101)...)
	wantCode(t, err, "InvalidParameterException")

	_, err = c.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String("web"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("none")}}})
	wantCode(t, err, "ImageNotFoundException")
	if !strings.Contains(err.Error(), "{imageDigest:'null', imageTag:'none'}") {
		t.Errorf("error is %v", err)
	}
}

func TestListsOfImages(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	first, second, third := randomImage(t), randomImage(t), randomImage(t)
	push(t, uri+":one", first, auth)
	push(t, uri+":two", first, auth)
	untagged := push(t, uri+"@"+digestOf(t, second), second, auth)
	archived := push(t, uri+":old", third, auth)
	if err := s.Archive("web", archived); err != nil {
		t.Fatal(err)
	}

	count := func(f *types.DescribeImagesFilter) (n int) {
		p := ecr.NewDescribeImagesPaginator(c, &ecr.DescribeImagesInput{RepositoryName: aws.String("web"), Filter: f, MaxResults: aws.Int32(1)})
		for p.HasMorePages() {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n += len(out.ImageDetails)
		}
		return n
	}
	for _, test := range []struct {
		filter *types.DescribeImagesFilter
		want   int
	}{
		{nil, 2},
		{&types.DescribeImagesFilter{TagStatus: types.TagStatusTagged}, 1},
		{&types.DescribeImagesFilter{TagStatus: types.TagStatusUntagged}, 1},
		{&types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterArchived}, 1},
		{&types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterAny}, 3},
	} {
		if got := count(test.filter); got != test.want {
			t.Errorf("%+v: %d images, want %d", test.filter, got, test.want)
		}
	}

	var ids []string
	p := ecr.NewListImagesPaginator(c, &ecr.ListImagesInput{RepositoryName: aws.String("web"), MaxResults: aws.Int32(2)})
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range out.ImageIds {
			ids = append(ids, aws.ToString(id.ImageTag)+"@"+*id.ImageDigest)
		}
	}
	want := []string{"one@" + digestOf(t, first), "two@" + digestOf(t, first), "@" + untagged}
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("ids are %v, want %v", ids, want)
	}
}

func TestDeleteByTagAndDigest(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	img := randomImage(t)
	for _, tag := range []string{"one", "two", "three"} {
		push(t, uri+":"+tag, img, auth)
	}
	remove := func(id types.ImageIdentifier) int {
		out, err := c.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: aws.String("web"), ImageIds: []types.ImageIdentifier{id}})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.ImageIds)
	}
	if n := remove(types.ImageIdentifier{ImageTag: aws.String("one")}); n != 1 || len(s.Tags("web")) != 2 || len(s.Digests("web")) != 1 {
		t.Errorf("after a tag: %d deleted, tags %v", n, s.Tags("web"))
	}
	if n := remove(types.ImageIdentifier{ImageDigest: aws.String(digestOf(t, img))}); n != 2 || len(s.Digests("web")) != 0 {
		t.Errorf("after the digest: %d deleted, images %v", n, s.Digests("web"))
	}
	push(t, uri+":last", img, auth)
	if n := remove(types.ImageIdentifier{ImageTag: aws.String("last")}); n != 1 || len(s.Digests("web")) != 0 {
		t.Errorf("after the last tag: %d deleted, images %v", n, s.Digests("web"))
	}
	if _, err := remote.Get(reference(t, uri+"@"+digestOf(t, img)), auth); err == nil {
		t.Error("a deleted image can be pulled")
	}
}

const keepLatest = `{"rules":[
 {"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["latest"],"countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}},
 {"rulePriority":100,"selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":7},"action":{"type":"expire"}}]}`

func TestLifecyclePolicy(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	ctx, web := t.Context(), aws.String("web")
	uri, auth := create(t, c, "web"), login(t, c)

	_, err := c.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: web})
	wantCode(t, err, "LifecyclePolicyNotFoundException")
	_, err = c.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: web, LifecyclePolicyText: aws.String(strings.Replace(keepLatest, "100", "1", 1))})
	wantCode(t, err, "InvalidParameterException")
	if _, err = c.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: web, LifecyclePolicyText: aws.String(keepLatest)}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: web})
	if err != nil {
		t.Fatal(err)
	}
	if *got.LifecyclePolicyText != keepLatest || s.Policy("web") != keepLatest {
		t.Errorf("policy came back as %s", *got.LifecyclePolicyText)
	}

	old := push(t, uri+":old", randomImage(t), auth)
	kept := push(t, uri+":latest", randomImage(t), auth)
	s.Advance(6 * 24 * time.Hour)
	auth = login(t, c)
	young := push(t, uri+":young", randomImage(t), auth)
	push(t, uri+":again", oldImage(t, uri+":old", auth), auth) // a new tag renews nothing
	if n := len(s.Digests("web")); n != 3 {
		t.Fatalf("%d images after six days", n)
	}

	post(t, s.URL()+"/_sandbox/clock?advance=25h", http.StatusOK)
	left := s.Digests("web")
	if len(left) != 2 || !slices.Contains(left, kept) || !slices.Contains(left, young) || slices.Contains(left, old) {
		t.Errorf("after seven days there are %v", left)
	}
	if _, err := c.DeleteLifecyclePolicy(ctx, &ecr.DeleteLifecyclePolicyInput{RepositoryName: web}); err != nil {
		t.Fatal(err)
	}
	s.Advance(30 * 24 * time.Hour)
	if n := len(s.Digests("web")); n != 2 {
		t.Errorf("%d images without a policy, want 2", n)
	}
}

func oldImage(t *testing.T, ref string, auth remote.Option) v1.Image {
	t.Helper()
	img, err := remote.Image(reference(t, ref), auth)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestLifecyclePreview(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	ctx, web := t.Context(), aws.String("web")
	uri, auth := create(t, c, "web"), login(t, c)
	_, err := c.GetLifecyclePolicyPreview(ctx, &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: web})
	wantCode(t, err, "LifecyclePolicyPreviewNotFoundException")
	_, err = c.StartLifecyclePolicyPreview(ctx, &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: web})
	wantCode(t, err, "LifecyclePolicyNotFoundException")

	push(t, uri+":latest", randomImage(t), auth)
	old := push(t, uri+":old", randomImage(t), auth)
	s.Advance(8 * 24 * time.Hour)
	_, err = c.StartLifecyclePolicyPreview(ctx, &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: web, LifecyclePolicyText: aws.String(keepLatest)})
	if err != nil {
		t.Fatal(err)
	}
	waiter := ecr.NewLifecyclePolicyPreviewCompleteWaiter(c)
	if err := waiter.Wait(ctx, &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: web}, time.Minute); err != nil {
		t.Fatal(err)
	}
	out, err := c.GetLifecyclePolicyPreview(ctx, &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: web})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.PreviewResults) != 1 || *out.Summary.ExpiringImageTotalCount != 1 {
		t.Fatalf("preview is %+v", out)
	}
	p := out.PreviewResults[0]
	if *p.ImageDigest != old || p.Action.Type != types.ImageActionTypeExpire || *p.AppliedRulePriority != 100 || !slices.Equal(p.ImageTags, []string{"old"}) {
		t.Errorf("result is %+v", p)
	}
	if len(s.Digests("web")) != 2 {
		t.Error("the preview deleted something")
	}
}

func TestOneTagFromManyWriters(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	out, err := c.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("web"), ImageTagMutability: types.ImageTagMutabilityImmutable})
	if err != nil {
		t.Fatal(err)
	}
	auth, ref := login(t, c), reference(t, *out.Repository.RepositoryUri+":one")
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		img := randomImage(t)
		wg.Go(func() { errs[i] = remote.Write(ref, img, auth) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		}
	}
	if won != 1 || len(s.Tags("web")) != 1 || len(s.Digests("web")) != 1 {
		t.Errorf("%d of 8 writers moved an immutable tag; images %v", won, s.Digests("web"))
	}
}

func TestProtocolErrors(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	_, err := c.DescribeRegistry(t.Context(), &ecr.DescribeRegistryInput{})
	wantCode(t, err, "UnknownOperationException")

	send := func(target, auth, body string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", target)
		req.Header.Set("Authorization", auth)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("status is %d, want %v", resp.StatusCode, http.StatusBadRequest)
		}
		return resp.Header.Get("X-Amzn-Errortype")
	}
	const describe = "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"
	signed := "AWS4-HMAC-SHA256 Credential=key/20261121/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=0"
	if got := send(describe, "", "{}"); got != "MissingAuthenticationTokenException" {
		t.Errorf("unsigned: %s, want MissingAuthenticationTokenException", got)
	}
	if got := send(describe, signed, "{"); got != "SerializationException" {
		t.Errorf("bad JSON: %s, want SerializationException", got)
	}
	if got := send("Nothing.Here", signed, "{}"); got != "UnknownOperationException" {
		t.Errorf("unknown service: %s, want UnknownOperationException", got)
	}
	if got := send(describe, strings.Replace(signed, "us-east-1", "..", 1), "{}"); got != "InvalidSignatureException" {
		t.Errorf("region that is not valid: %s, want InvalidSignatureException", got)
	}
}

func TestCallerIdentity(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{Account: "123456789012"})
	c := sts.NewFromConfig(testkit.AWSConfig(s.URL()))
	out, err := c.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Account != "123456789012" || *out.Arn != "arn:aws:iam::123456789012:user/sandbox" {
		t.Errorf("identity is %+v", out)
	}
	_, err = c.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	wantCode(t, err, "InvalidAction")
	if calls := s.Calls(); calls[0].Service != "sts" || calls[0].Action != "GetCallerIdentity" {
		t.Errorf("calls are %+v", calls)
	}
}

func TestControlPlane(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	create(t, client(s, "us-east-1"), "web")
	for _, bad := range []string{"", "?advance=soon", "?advance=-1h"} {
		post(t, s.URL()+"/_sandbox/clock"+bad, http.StatusBadRequest)
	}
	post(t, s.URL()+"/_sandbox/archive?repository=web&digest=none", http.StatusNotFound)
	resp, err := http.Get(s.URL() + "/_sandbox/calls")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var buf strings.Builder
	if err := resp.Write(&buf); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(buf.String(), `"action": "CreateRepository"`) || strings.Contains(buf.String(), "_sandbox") {
		t.Errorf("calls are %s", buf.String())
	}
}
