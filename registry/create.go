package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"
)

// creator is the part of ECR that creating a repository needs.
type creator interface {
	describer
	CreateRepository(context.Context, *ecr.CreateRepositoryInput, ...func(*ecr.Options)) (*ecr.CreateRepositoryOutput, error)
}

// Create makes repositories that scan on push, encrypt with AES256 and take
// each tag once, but for the protected ones, which may move. tags are put on
// the repositories themselves. A repository that exists by now is described
// and left as it is. The error joins those of all repositories that could not
// be made; the map holds the others even then.
func Create(ctx context.Context, clients Clients, refs []Ref, tags map[string]string) (map[Ref]Repository, error) {
	var (
		g      errgroup.Group
		mu     sync.Mutex
		faults = make([]error, len(refs))
		made   = map[Ref]Repository{}
	)
	g.SetLimit(MaxCalls)
	for i, ref := range refs {
		g.Go(func() error {
			repo, err := create(ctx, clients(ref.Region), ref, tags)
			if err != nil {
				faults[i] = fmt.Errorf("creating repository %s: %w", ref, err)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			made[ref] = repo
			return nil
		})
	}
	_ = g.Wait() // its goroutines keep their errors in faults
	return made, errors.Join(faults...)
}

func create(ctx context.Context, client creator, ref Ref, tags map[string]string) (Repository, error) {
	out, err := client.CreateRepository(ctx, createInput(ref, tags))
	var exists *types.RepositoryAlreadyExistsException
	if errors.As(err, &exists) {
		return describeOne(ctx, client, ref)
	}
	if err != nil {
		return Repository{}, err
	}
	if out.Repository == nil {
		return describeOne(ctx, client, ref)
	}
	return newRepository(ref, *out.Repository)
}

func describeOne(ctx context.Context, client describer, ref Ref) (Repository, error) {
	found, err := describe(ctx, client, []Ref{ref})
	if err != nil {
		return Repository{}, err
	}
	repo, ok := found[ref]
	if !ok {
		return Repository{}, errors.New("another process created and deleted it meanwhile")
	}
	return repo, nil
}

func createInput(ref Ref, tags map[string]string) *ecr.CreateRepositoryInput {
	in := &ecr.CreateRepositoryInput{
		RegistryId:                         ref.RegistryID(),
		RepositoryName:                     aws.String(ref.Name),
		ImageTagMutability:                 types.ImageTagMutabilityImmutableWithExclusion,
		ImageTagMutabilityExclusionFilters: wildcards(movingPatterns()),
		ImageScanningConfiguration:         &types.ImageScanningConfiguration{ScanOnPush: true},
		EncryptionConfiguration:            &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeAes256},
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return in
}

func wildcards(patterns []string) []types.ImageTagMutabilityExclusionFilter {
	filters := make([]types.ImageTagMutabilityExclusionFilter, len(patterns))
	for i, p := range patterns {
		filters[i] = types.ImageTagMutabilityExclusionFilter{
			Filter:     aws.String(p),
			FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard,
		}
	}
	return filters
}
