package ecs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
)

type providerReader interface {
	DescribeCapacityProviders(context.Context, *ecs.DescribeCapacityProvidersInput, ...func(*ecs.Options)) (*ecs.DescribeCapacityProvidersOutput, error)
}

// ProviderProblems reads the capacity providers in the strategy of a service, other
// than those of Fargate, and returns for each that may give it no capacity what is
// wrong with it, by name. It takes one call, and none for a service that has none.
func ProviderProblems(ctx context.Context, client providerReader, s Service) (map[string]string, error) {
	names := s.Evidence().OwnProviders()
	if len(names) == 0 {
		return nil, nil
	}
	out, err := client.DescribeCapacityProviders(ctx, &ecs.DescribeCapacityProvidersInput{CapacityProviders: names})
	if err == nil {
		err = awsclient.CheckList("ECS", "DescribeCapacityProviders", "capacity providers", out.CapacityProviders)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the capacity providers of ECS service %s: %w", s.Ref, err)
	}
	problems := map[string]string{}
	for _, name := range names {
		i := slices.IndexFunc(out.CapacityProviders, func(p types.CapacityProvider) bool { return aws.ToString(p.Name) == name })
		if i < 0 {
			problems[name] = "does not exist"
		} else if problem := providerProblem(out.CapacityProviders[i]); problem != "" {
			problems[name] = problem
		}
	}
	return problems, nil
}

// providerProblem returns what is wrong with a capacity provider; empty for nothing.
// "Only capacity providers in an ACTIVE state can be used in a cluster" (API
// reference, CapacityProvider).
func providerProblem(p types.CapacityProvider) string {
	update, reason := string(p.UpdateStatus), ""
	if text := aws.ToString(p.UpdateStatusReason); text != "" {
		reason = ": " + text
	}
	switch {
	case p.Status != types.CapacityProviderStatusActive:
		return "is " + string(p.Status) + reason
	case strings.HasSuffix(update, "_IN_PROGRESS"), strings.HasSuffix(update, "_FAILED"):
		return "is " + string(p.Status) + ", and its last change is " + update + reason
	default:
		return ""
	}
}
