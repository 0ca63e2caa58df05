package registry

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/name"
)

// Clients returns the ECR client of a region; "" asks for the default region.
// It is called from several goroutines at once and should hand out one client
// per region.
type Clients func(region string) *ecr.Client

// Repository is a repository as ECR describes it.
type Repository struct {
	// Ref holds account and region as AWS answered, never empty.
	Ref
	// URI is where images are pushed and pulled, as answered. It speaks plain
	// http when its host is a loopback address.
	URI name.Repository
	// ARN is the repository's ARN.
	ARN string
	// Mutability says which tags may move, together with Exclusions.
	Mutability types.ImageTagMutability
	// Exclusions holds the wildcard filters of tags to which the opposite of
	// Mutability applies.
	Exclusions []string
}

// newRepository reads ECR's description. Account and region fall back to
// those asked for when an answer leaves out the ARN.
func newRepository(asked Ref, d types.Repository) (Repository, error) {
	uri := aws.ToString(d.RepositoryUri)
	host, _, _ := strings.Cut(uri, "/")
	opts := []name.Option{name.StrictValidation}
	if IsLoopback(host) {
		opts = append(opts, name.Insecure)
	}
	parsed, err := name.NewRepository(uri, opts...)
	if err != nil {
		return Repository{}, fmt.Errorf("reading repositoryUri %q of %s: %w", uri, asked, err)
	}
	repo := Repository{
		Ref:        Ref{Account: aws.ToString(d.RegistryId), Region: asked.Region, Name: aws.ToString(d.RepositoryName)},
		URI:        parsed,
		ARN:        aws.ToString(d.RepositoryArn),
		Mutability: d.ImageTagMutability,
	}
	if a, err := arn.Parse(repo.ARN); err == nil {
		repo.Account, repo.Region = a.AccountID, a.Region
	}
	for _, f := range d.ImageTagMutabilityExclusionFilters {
		repo.Exclusions = append(repo.Exclusions, aws.ToString(f.Filter))
	}
	return repo, nil
}

// DistinctRepositories returns the repositories, each once and in their order:
// two components may share one.
func DistinctRepositories(repos []Repository) []Repository {
	var out []Repository
	seen := map[Ref]bool{}
	for _, r := range repos {
		if !seen[r.Ref] {
			seen[r.Ref] = true
			out = append(out, r)
		}
	}
	return out
}
