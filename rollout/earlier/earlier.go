// Package earlier finds the task definition with which an ECS service ran given images.
package earlier

import (
	"context"
	"errors"
	"iter"
	"slices"

	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/ecs"
	"slipway/rollout/task/diff"
)

const (
	// page is how many deployments ECS lists where it is not asked for more, as
	// ecs.Read does (API reference, ListServiceDeployments). Where it listed fewer, the
	// service has no others.
	page = 20
	// maxDeployments is how many successful deployments are looked at.
	maxDeployments = 100
	// maxDefinitions is how many task definitions are read.
	maxDefinitions = 10
)

// client is the part of ECS that finding a task definition needs.
type client interface {
	ListServiceDeployments(context.Context, *awsecs.ListServiceDeploymentsInput, ...func(*awsecs.Options)) (*awsecs.ListServiceDeploymentsOutput, error)
	DescribeServiceRevisions(context.Context, *awsecs.DescribeServiceRevisionsInput, ...func(*awsecs.Options)) (*awsecs.DescribeServiceRevisionsOutput, error)
	DescribeTaskDefinition(context.Context, *awsecs.DescribeTaskDefinitionInput, ...func(*awsecs.Options)) (*awsecs.DescribeTaskDefinitionOutput, error)
}

// Find returns the task definition of the newest successful deployment that ran the
// images in a service, given by container, and whose settings Slipway wrote. It reports
// false if none is known. If the running task definition ran the images last, it returns
// that one, whoever wrote it.
//
// Only digests that ECS resolved count: the tags in a task definition may have moved
// since. ECS knows the deployments of 90 days, and none of other controllers than ECS.
//
// past are the successful deployments, newest first, if they were read before. Otherwise
// it takes one call for the deployments that the service was read with, or up to six if
// there are more. It takes one call more for each task definition that ran the images,
// until one has the settings of Slipway.
func Find(ctx context.Context, c client, s ecs.Service, past []ecs.ServiceDeployment, images map[string]ecs.DesiredImage) (ecs.Definition, bool, error) {
	var seen []string
	for deployments, err := range batches(ctx, c, s, past) {
		if err != nil {
			return ecs.Definition{}, false, err
		}
		for _, p := range deployments {
			switch {
			case !ran(p, images) || slices.Contains(seen, p.TaskDefinition):
				continue
			case len(seen) == 0 && p.TaskDefinition == s.Definition.ARN:
				return s.Definition, true, nil
			case len(seen) == maxDefinitions:
				return ecs.Definition{}, false, nil
			}
			seen = append(seen, p.TaskDefinition)
			d, ok, err := read(ctx, c, s, p.TaskDefinition)
			if err != nil || ok {
				return d, ok, err
			}
		}
	}
	return ecs.Definition{}, false, nil
}

// batches yields the successful deployments of a service with their revisions, newest
// first: those that it was read with, then all of them if there may be more.
func batches(ctx context.Context, c client, s ecs.Service, past []ecs.ServiceDeployment) iter.Seq2[[]ecs.ServiceDeployment, error] {
	return func(yield func([]ecs.ServiceDeployment, error) bool) {
		if past != nil {
			yield(past, nil)
			return
		}
		latest := slices.DeleteFunc(slices.Clone(s.Deployments), func(p ecs.ServiceDeployment) bool {
			return p.Status != types.ServiceDeploymentStatusSuccessful
		})
		if !yield(ecs.WithRevisions(ctx, c, latest)) || len(s.Deployments) < page {
			return
		}
		yield(ecs.Successful(ctx, c, s.Ref, maxDeployments))
	}
}

// ran reports whether a deployment ran all of the images.
func ran(p ecs.ServiceDeployment, images map[string]ecs.DesiredImage) bool {
	for container, image := range images {
		if !image.Has(p.Digests[container]) {
			return false
		}
	}
	return len(images) > 0 && p.TaskDefinition != ""
}

// read returns a task definition of a service, and reports whether Slipway wrote its
// settings. One that was deleted has none.
func read(ctx context.Context, c client, s ecs.Service, arn string) (ecs.Definition, bool, error) {
	d := s.Definition
	if arn != d.ARN {
		var err error
		d, err = ecs.ReadDefinition(ctx, c, arn)
		if gone := new(types.ClientException); errors.As(err, &gone) {
			return ecs.Definition{}, false, nil
		}
		if err != nil {
			return ecs.Definition{}, false, err
		}
	}
	return d, Written(d), nil
}

// Written reports whether Slipway wrote the settings of a task definition.
func Written(d ecs.Definition) bool {
	return diff.Running{Fields: d.Fields, Tags: d.Tags}.Tagged()
}

// Containers returns the containers of the compose file that a task definition has, as
// far as its tags name them.
func Containers(d ecs.Definition) []string {
	return diff.Running{Fields: d.Fields, Tags: d.Tags}.Containers()
}
