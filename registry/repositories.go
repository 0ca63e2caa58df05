package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
)

const (
	// maxNames is how many names one DescribeRepositories takes, maxPage how
	// many repositories one page of a listing holds.
	// Source: ECR's DescribeRepositories API reference.
	maxNames = 100
	maxPage  = 1000
)

// MaxCalls bounds the calls under way at once in one region, well below the
// rates in "Amazon ECR service quotas".
const MaxCalls = 8

// MaxPuts is how many PutImage are under way at once: those of a step of eight
// services. A project of more services may exceed the rate of ECR. It is slowed down
// once ECR throttles a call (package awsclient).
const MaxPuts = 24

// describer is the part of ECR that finding repositories needs.
type describer interface {
	DescribeRepositories(context.Context, *ecr.DescribeRepositoriesInput, ...func(*ecr.Options)) (*ecr.DescribeRepositoriesOutput, error)
}

// MissingError says which repositories do not exist.
type MissingError struct {
	// Refs names them, in the order they were asked for.
	Refs []Ref
}

// Error names them all.
func (e *MissingError) Error() string {
	names := make([]string, len(e.Refs))
	for i, r := range e.Refs {
		names[i] = r.String()
	}
	return "no such repository: " + strings.Join(names, ", ")
}

// Kind returns fault.AWS.
func (e *MissingError) Kind() fault.Kind { return fault.AWS }

// Find describes repositories: one DescribeRepositories for each account and
// region, up to 100 names, all at once. What exists is found under the Ref it
// was asked by; the others are in missing, in the order of refs. A missing
// repository is not an error, since it may be about to be created; MissingError
// is there for callers to whom it is one.
func Find(ctx context.Context, clients Clients, refs []Ref) (found map[Ref]Repository, missing []Ref, err error) {
	groups := byRegistry(refs)
	answers := make([]map[Ref]Repository, len(groups))
	g, ctx := errgroup.WithContext(ctx)
	for i, group := range groups {
		g.Go(func() (err error) {
			answers[i], err = describe(ctx, clients(group[0].Region), group)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	found = map[Ref]Repository{}
	for _, a := range answers {
		maps.Copy(found, a)
	}
	for _, ref := range refs {
		if _, ok := found[ref]; !ok && !slices.Contains(missing, ref) {
			missing = append(missing, ref)
		}
	}
	return found, missing, nil
}

// byRegistry groups refs that one call can ask for, each name once, in a
// stable order.
func byRegistry(refs []Ref) [][]Ref {
	var groups [][]Ref
	seen, at := map[Ref]bool{}, map[Ref]int{}
	for _, ref := range refs {
		if seen[ref] {
			continue
		}
		seen[ref] = true
		registry := Ref{Account: ref.Account, Region: ref.Region}
		i, ok := at[registry]
		if !ok || len(groups[i]) == maxNames {
			i = len(groups)
			at[registry] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], ref)
	}
	return groups
}

// describe asks for all refs of one registry at once. ECR answers for none of
// them when one is missing, and names it only in the text of the error: then a
// listing shows which ones exist. Without the permission to list, it asks for
// one at a time.
func describe(ctx context.Context, client describer, refs []Ref) (map[Ref]Repository, error) {
	found, err := describeNames(ctx, client, refs)
	var unknown *types.RepositoryNotFoundException
	if !errors.As(err, &unknown) {
		return found, err
	}
	if len(refs) == 1 {
		return nil, nil
	}
	found, err = list(ctx, client, refs)
	var refused smithy.APIError
	if errors.As(err, &refused) && refused.ErrorCode() == "AccessDeniedException" {
		return describeEach(ctx, client, refs)
	}
	return found, err
}

func describeNames(ctx context.Context, client describer, refs []Ref) (map[Ref]Repository, error) {
	in := &ecr.DescribeRepositoriesInput{RegistryId: refs[0].RegistryID()}
	for _, ref := range refs {
		in.RepositoryNames = append(in.RepositoryNames, ref.Name)
	}
	out, err := client.DescribeRepositories(ctx, in)
	if err != nil {
		return nil, describeError(refs[0], err)
	}
	found, err := pick(refs, out.Repositories)
	for _, ref := range refs {
		if _, ok := found[ref]; !ok && err == nil {
			err = awsclient.Incomplete("ECR", "DescribeRepositories", "repository "+ref.String())
		}
	}
	return found, err
}

// list pages through a whole registry until every ref was seen.
func list(ctx context.Context, client describer, refs []Ref) (map[Ref]Repository, error) {
	found := map[Ref]Repository{}
	in := &ecr.DescribeRepositoriesInput{RegistryId: refs[0].RegistryID(), MaxResults: aws.Int32(maxPage)}
	err := awsclient.EachPage("ECR DescribeRepositories", func(token *string) (*string, error) {
		in.NextToken = token
		page, err := client.DescribeRepositories(ctx, in)
		if err != nil {
			return nil, describeError(refs[0], err)
		}
		some, err := pick(refs, page.Repositories)
		if err != nil {
			return nil, err
		}
		maps.Copy(found, some)
		if len(found) == len(refs) {
			return nil, nil
		}
		return page.NextToken, nil
	})
	return found, err
}

func describeEach(ctx context.Context, client describer, refs []Ref) (map[Ref]Repository, error) {
	answers := make([]map[Ref]Repository, len(refs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(MaxCalls)
	for i := range refs {
		g.Go(func() (err error) {
			answers[i], err = describe(ctx, client, refs[i:i+1])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	found := map[Ref]Repository{}
	for _, a := range answers {
		maps.Copy(found, a)
	}
	return found, nil
}

// pick finds refs, which are of one registry, among described repositories.
func pick(refs []Ref, described []types.Repository) (map[Ref]Repository, error) {
	byName := make(map[string]Ref, len(refs))
	for _, ref := range refs {
		byName[ref.Name] = ref
	}
	found := map[Ref]Repository{}
	for _, d := range described {
		ref, ok := byName[aws.ToString(d.RepositoryName)]
		if !ok {
			continue
		}
		repo, err := newRepository(ref, d)
		if err != nil {
			return nil, err
		}
		found[ref] = repo
	}
	return found, nil
}

func describeError(ref Ref, err error) error {
	where := Ref{Account: ref.Account, Region: ref.Region, Name: "the registry"}
	return fmt.Errorf("describing repositories of %s: %w", where, err)
}
