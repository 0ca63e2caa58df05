package sandbox_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// client returns an ECR client of the sandbox for a region.
func client(s *sandbox.Server, region string) *ecr.Client {
	return testkit.ECRClient(s.URL(), region)
}

func create(t *testing.T, c *ecr.Client, repository string) string {
	t.Helper()
	out, err := c.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &repository})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Repository.RepositoryUri
}

// login returns the login on the registry API that ECR's token holds.
func login(t *testing.T, c *ecr.Client) remote.Option {
	t.Helper()
	return remote.WithAuth(testkit.ECRLogin(t, c))
}

func randomImage(t *testing.T) v1.Image {
	t.Helper()
	img, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func digestOf(t *testing.T, i interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := i.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

func reference(t *testing.T, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// push pushes an image under a reference and returns its digest.
func push(t *testing.T, ref string, img v1.Image, auth remote.Option) string {
	t.Helper()
	if err := remote.Write(reference(t, ref), img, auth, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("pushing %s: %v", ref, err)
	}
	return digestOf(t, img)
}

// wantCode fails the test unless err is the API error named.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Errorf("got error %v, want %s", err, code)
	} else if api.ErrorCode() != code {
		t.Errorf("got %s (%s), want %s", api.ErrorCode(), api.ErrorMessage(), code)
	}
}

// anonymousKeychain is a keychain without any credentials.
type anonymousKeychain struct{}

func (anonymousKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.Anonymous, nil
}
