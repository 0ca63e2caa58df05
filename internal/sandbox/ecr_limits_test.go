package sandbox_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// TestLimitsOfImages: an image takes so many tags, and a repository so many
// images; a tag that moves and one that is there count no further.
func TestLimitsOfImages(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	if got, want := s.ECRLimits(), (sandbox.ECRLimits{TagsPerImage: 1000, ImagesPerRepository: 100_000}); got != want {
		t.Errorf("the limits are %+v, want %+v", got, want)
	}
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	post(t, s.URL()+"/_sandbox/ecr?tags-per-image=2&images-per-repository=2", http.StatusOK)
	one, two := randomImage(t), randomImage(t)
	push(t, uri+":a", one, auth)
	push(t, uri+":b", one, auth)
	put := func(tag string) error {
		raw, err := one.RawManifest()
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("web"), ImageManifest: aws.String(string(raw)), ImageTag: &tag})
		return err
	}
	wantCode(t, put("c"), "LimitExceededException")
	wantCode(t, put("b"), "ImageAlreadyExistsException")
	push(t, uri+":b", two, auth)
	if err := put("c"); err != nil {
		t.Errorf("a tag in place of one that moved: %v", err)
	}
	err := remote.Write(reference(t, uri+":d"), randomImage(t), auth)
	if err == nil || !strings.Contains(err.Error(), "DENIED") {
		t.Errorf("a third image: %v, want DENIED", err)
	}
	for _, bad := range []string{"tags-per-image=0", "images-per-repository=many", "refuse-nested=perhaps", "tags=5"} {
		post(t, s.URL()+"/_sandbox/ecr?"+bad, http.StatusBadRequest)
	}
}

// TestNestedIndex: an index holds an index like an image, unless that is refused.
func TestNestedIndex(t *testing.T) {
	s := testkit.StartSandbox(t, sandbox.Options{})
	c := client(s, "us-east-1")
	uri, auth := create(t, c, "web"), login(t, c)
	inner, err := random.Index(64, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(reference(t, uri+":inner"), inner, auth); err != nil {
		t.Fatal(err)
	}
	outer, err := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: inner}).RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	put := func() error {
		_, err := c.PutImage(t.Context(), &ecr.PutImageInput{
			RepositoryName: aws.String("web"), ImageManifest: aws.String(string(outer)), ImageTag: aws.String("outer"),
			ImageManifestMediaType: aws.String("application/vnd.oci.image.index.v1+json"),
		})
		return err
	}
	post(t, s.URL()+"/_sandbox/ecr?refuse-nested=true", http.StatusOK)
	wantCode(t, put(), "InvalidParameterException")
	post(t, s.URL()+"/_sandbox/ecr?refuse-nested=false", http.StatusOK)
	if err := put(); err != nil {
		t.Fatal(err)
	}
	digest, err := inner.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Children("web", "outer"); len(got) != 1 || got[0] != digest.String() || s.Children("web", "none") != nil {
		t.Errorf("outer refers to %v, want %v", got, digest)
	}
}

// TestIndexKeepsItsImage: an image neither expires nor goes to the archive while
// an index refers to it, and goes with the index.
func TestIndexKeepsItsImage(t *testing.T) {
	for action, rule := range map[string]string{
		"expire":  `{"type":"expire"}`,
		"archive": `{"type":"transition","targetStorageClass":"archive"}`,
	} {
		t.Run(action, func(t *testing.T) {
			s := testkit.StartSandbox(t, sandbox.Options{})
			c := client(s, "us-east-1")
			uri, auth := create(t, c, "web"), login(t, c)
			img := randomImage(t)
			digest := push(t, uri+":image", img, auth)
			s.Advance(6 * 24 * time.Hour)
			index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img})
			if err := remote.WriteIndex(reference(t, uri+":index"), index, login(t, c)); err != nil {
				t.Fatal(err)
			}
			policy := `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":7},"action":` + rule + `}]}`
			if _, err := c.PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: aws.String("web"), LifecyclePolicyText: &policy}); err != nil {
				t.Fatal(err)
			}
			pulls := func() bool {
				_, err := remote.Image(reference(t, uri+"@"+digest), login(t, c))
				return err == nil
			}
			s.Advance(6 * 24 * time.Hour)
			if !pulls() {
				t.Error("the image is gone before its index")
			}
			s.Advance(2 * 24 * time.Hour)
			if pulls() {
				t.Error("the image outlives its index")
			}
		})
	}
}
