package revisions

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/sandbox"
	"slipway/registry"
	"slipway/registry/lifecycle"
)

const (
	homeAccount, otherAccount = "111111111111", "222222222222"
	homeRegion, otherRegion   = "eu-west-1", "us-east-2"
)

// startSandbox serves the home account and region, and clients for it.
func startSandbox(t *testing.T) (*sandbox.Server, registry.Clients) {
	t.Helper()
	server, err := sandbox.Start(t.Context(), sandbox.Options{Account: homeAccount, Region: homeRegion, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, func(region string) *ecr.Client {
		if region == "" {
			region = homeRegion
		}
		return client(server.URL(), region)
	}
}

// actions counts the calls of ECR's API since the last reset.
func actions(server *sandbox.Server) map[string]int {
	counts := map[string]int{}
	for _, call := range server.Calls() {
		if call.Service == "ecr" {
			counts[call.Action]++
		}
	}
	return counts
}

func wantCalls(t *testing.T, server *sandbox.Server, action string, want int) {
	t.Helper()
	if got := actions(server); got[action] != want {
		t.Errorf("%d calls of %s, want %d, in %v", got[action], action, want, got)
	}
}

// mustCreate creates repositories and forgets the calls that took.
func mustCreate(t *testing.T, server *sandbox.Server, clients registry.Clients, refs ...registry.Ref) map[registry.Ref]registry.Repository {
	t.Helper()
	repos, err := registry.Create(t.Context(), clients, refs, nil)
	if err != nil {
		t.Fatal(err)
	}
	server.ResetCalls()
	return repos
}

// freshAuth logs in after the sandbox's clock was moved past the first token.
func freshAuth(t *testing.T, api *ecr.Client) authn.Authenticator {
	t.Helper()
	out, err := api.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	return authn.FromConfig(authn.AuthConfig{Auth: *out.AuthorizationData[0].AuthorizationToken})
}

func client(url, region string) *ecr.Client {
	return ecr.New(ecr.Options{
		Region:           region,
		BaseEndpoint:     aws.String(url),
		RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
}

// retentionPolicy is the policy that registry.ApplyRetention writes.
func retentionPolicy(days int) lifecycle.Policy {
	return lifecycle.New(days, append(registry.Protected(), registry.TagCache+"-linux-*")...)
}

// push puts a new image under each of tags and returns its digest.
func push(t *testing.T, repo registry.Repository, auth authn.Authenticator, tags ...string) string {
	t.Helper()
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if len(tags) == 0 {
		err = remote.Write(repo.URI.Digest(digest.String()), image, remote.WithAuth(auth))
	}
	for _, tag := range tags {
		err = errors.Join(err, remote.Write(repo.URI.Tag(tag), image, remote.WithAuth(auth)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}
