package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// listDeploymentsAPI lists the service deployments of a service.
type listDeploymentsAPI interface {
	ListServiceDeployments(context.Context, *ecs.ListServiceDeploymentsInput, ...func(*ecs.Options)) (*ecs.ListServiceDeploymentsOutput, error)
}

const (
	// lookBack is how far before a deployment its service deployment is looked for.
	lookBack = 5 * time.Second
	// slack is how much earlier than the deployment its service deployment may be.
	slack = 2 * time.Second
)

// find answers the ARN of the service deployment that carries out d, empty as long as ECS
// does not list it (that may take seconds). One ListServiceDeployments, more where there
// are more than a page of deployments since.
//
// ECS documents no link between the deployment that UpdateService names and a service
// deployment. Seen is that the target service revision ends in the number of the
// deployment's id. Where that is known to hold for the service, nothing else is accepted;
// otherwise it is the oldest service deployment since that was not there before.
func (d Deployment) find(ctx context.Context, client listDeploymentsAPI) (string, error) {
	if d.ARN != "" {
		return d.ARN, nil
	}
	list, err := deploymentsSince(ctx, client, d.Service, d.Created.Add(-lookBack))
	if err != nil {
		return "", err
	}
	for _, b := range list {
		if tail(d.ID) != "" && tail(aws.ToString(b.TargetServiceRevisionArn)) == tail(d.ID) {
			return aws.ToString(b.ServiceDeploymentArn), nil
		}
	}
	if d.Service.numbered() {
		return "", nil
	}
	for _, b := range list {
		arn := aws.ToString(b.ServiceDeploymentArn)
		before := slices.ContainsFunc(d.Service.Deployments, func(p Past) bool { return p.ARN == arn })
		if !before && !aws.ToTime(b.CreatedAt).Before(d.Created.Add(-slack)) {
			return arn, nil
		}
	}
	return "", nil
}

// numbered tells whether the deployments that the service had are known to be numbered
// like their revisions.
func (s Service) numbered() bool {
	for _, d := range s.Raw.Deployments {
		for _, p := range s.Deployments {
			if n := tail(aws.ToString(d.Id)); n != "" && n == tail(p.Revision) {
				return true
			}
		}
	}
	return false
}

// deploymentsSince lists the service deployments created after a time, the oldest first.
func deploymentsSince(ctx context.Context, client listDeploymentsAPI, s Service, after time.Time) ([]types.ServiceDeploymentBrief, error) {
	in := &ecs.ListServiceDeploymentsInput{
		Cluster:   s.clusterID(),
		Service:   s.serviceID(),
		CreatedAt: &types.CreatedAt{After: aws.Time(after)},
	}
	var list []types.ServiceDeploymentBrief
	for {
		out, err := client.ListServiceDeployments(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("listing the deployments of %s: %w", s.Ref, err)
		}
		list = append(list, out.ServiceDeployments...)
		if aws.ToString(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	slices.SortStableFunc(list, func(a, b types.ServiceDeploymentBrief) int {
		return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt))
	})
	return list, nil
}

// tail is what follows the last slash of an id or ARN, empty where there is no slash.
func tail(id string) string {
	if !strings.Contains(id, "/") {
		return ""
	}
	return lastPart(id)
}

// locate finds the service deployments that are not known yet. One that ECS does not list
// within the time to settle is followed without.
func (f Follower) locate(ctx context.Context, watches []*watch) {
	var missing []*watch
	for _, w := range watches {
		if w.arn != "" || w.plain || w.byCodeDeploy() {
			continue
		}
		if w.plain = time.Since(w.begun) > f.settle(); w.plain {
			w.once("ECS does not list the service deployment: following by what DescribeServices tells")
			continue
		}
		missing = append(missing, w)
	}
	each(missing, func(w *watch) { w.arn, w.deploymentErr = w.d.find(ctx, f.ECS) })
}
