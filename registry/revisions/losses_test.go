package revisions

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"slipway/registry"
	"slipway/registry/referrers"
)

const madeBy = "build.test.made"

// made is an image that Slipway made.
func made(t *testing.T) v1.Image {
	t.Helper()
	return mutate.Annotations(image(t), map[string]string{madeBy: "x"}).(v1.Image)
}

// lost names the images that a first policy would take, by their first tag.
func (s *registryFixture) lost(protected bool) []string {
	s.t.Helper()
	result, err := registry.ReadRetention(s.t.Context(), s.direct(""), s.repos[0], 7, false)
	if err != nil {
		s.t.Fatal(err)
	}
	listing, err := List(s.t.Context(), s.direct, s.repos)
	if err != nil {
		s.t.Fatal(err)
	}
	origin := Origin{Annotation: madeBy, Protected: map[registry.Ref]bool{s.repos[0].Ref: protected}}
	lost, err := listing.Losses(s.t.Context(), s.direct, []registry.RetentionResult{result}, origin)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, i := range lost[s.repos[0].Ref] {
		out = append(out, append(i.Tags, "untagged")[0])
	}
	slices.Sort(out)
	return out
}

// TestLosses tells whose images a first policy would take.
func TestLosses(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a")
	if got := s.lost(true); got != nil {
		t.Errorf("an empty repository loses %v", got)
	}
	s.pushOne(0, image(t), registry.TagLatest, "old")
	s.pushOne(0, image(t), registry.TagPrevious)
	s.pushOne(0, image(t), "buildcache-linux-arm64")
	s.pushOne(0, made(t), "mine")
	s.pushOne(0, made(t)) // a build that failed
	s.recordInputs(0, s.pushOne(0, made(t)))
	if got := s.lost(true); got != nil {
		t.Errorf("protected images and Slipway's own are lost: %v", got)
	}
	if got := s.lost(false); !slices.Equal(got, []string{"mine"}) {
		t.Errorf("where what runs is not known, lost are %v, want mine", got)
	}
	s.pushOne(0, image(t), "v42")
	s.pushOne(0, image(t))
	if got := s.lost(true); !slices.Equal(got, []string{"untagged", "v42"}) {
		t.Errorf("lost are %v, want those of others, however young", got)
	}
	s.server.Advance(8 * 24 * time.Hour)
	if got := s.lost(true); !slices.Equal(got, []string{"mine", "untagged", "v42"}) {
		t.Errorf("after 8 days lost are %v, want also Slipway's own with a tag", got)
	}
	// A policy of others that takes them as early anyway.
	s.putPolicy(`{"rules":[{"rulePriority":9,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":7},"action":{"type":"expire"}}]}`)
	if got := s.lost(true); !slices.Equal(got, []string{"mine", "v42"}) {
		t.Errorf("with a rule for untagged images lost are %v", got)
	}
	// Slipway's own policy is no first one.
	if _, err := registry.ApplyRetention(t.Context(), s.direct(""), s.repos[0], 30, false); err != nil {
		t.Fatal(err)
	}
	if got := s.lost(true); got != nil {
		t.Errorf("a repository with Slipway's policy loses %v", got)
	}
}

// recordInputs writes an artifact with the inputs of an image.
func (s *registryFixture) recordInputs(repo int, subject string) {
	s.t.Helper()
	d := ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageManifest, Digest: digest.Digest(subject), Size: 1}
	if _, err := referrers.Write(s.t.Context(), s.direct(""), s.repos[repo], d, []byte("inputs")); err != nil {
		s.t.Fatal(err)
	}
}

// putPolicy is a policy that others wrote.
func (s *registryFixture) putPolicy(text string) {
	s.t.Helper()
	_, err := s.direct("").PutLifecyclePolicy(s.t.Context(), &ecr.PutLifecyclePolicyInput{
		RepositoryName: aws.String(s.repos[0].Name), LifecyclePolicyText: aws.String(text),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
