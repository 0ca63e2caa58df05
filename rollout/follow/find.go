package follow

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/rollout/ecs"
)

// listDeploymentsAPI lists the service deployments of a service.
type listDeploymentsAPI interface {
	ListServiceDeployments(context.Context, *awsecs.ListServiceDeploymentsInput, ...func(*awsecs.Options)) (*awsecs.ListServiceDeploymentsOutput, error)
}

const (
	// lookBack is how far before a deployment its service deployment is looked
	// for.
	lookBack = 5 * time.Second
	// slack is how much earlier than the deployment its service deployment may
	// be.
	slack = 2 * time.Second
	// callTime bounds how long one UpdateService may take with all its
	// repetitions.
	callTime = 2 * time.Minute
)

// deploymentFinder is the part of ECS that finding a service deployment needs.
type deploymentFinder interface {
	listDeploymentsAPI
	revisionsAPI
}

// find returns the ARN of the service deployment of d, or "" as long as ECS
// does not list it, which may take seconds. One ListServiceDeployments, more
// where there are more than a page of deployments since, and one
// DescribeServiceRevisions where the one found was stopped and others follow
// it.
//
// ECS documents no link between the deployment that UpdateService names and a
// service deployment. Seen is that the target service revision ends in the
// number of the deployment's id. Where that is known to hold for the service,
// nothing else is accepted; otherwise it is the one created nearest to the
// deployment that was not there before.
//
// A call whose answer got lost is sent again by the SDK and starts a second
// deployment, which replaces the first. So one that is STOPPED is passed over
// for a later one that deploys the same.
func find(ctx context.Context, client deploymentFinder, d ecs.Deployment) (string, error) {
	if d.ARN != "" {
		return d.ARN, nil
	}
	list, err := deploymentsSince(ctx, client, d.Service, d.Created.Add(-lookBack))
	if err != nil {
		return "", err
	}
	for _, b := range list {
		if awsname.AfterSlash(d.ID) != "" && awsname.AfterSlash(aws.ToString(b.TargetServiceRevisionArn)) == awsname.AfterSlash(d.ID) {
			return aws.ToString(b.ServiceDeploymentArn), nil
		}
	}
	if hasNumberedRevisions(d.Service) {
		return "", nil
	}
	list = slices.DeleteFunc(list, func(b types.ServiceDeploymentBrief) bool { return before(d, b) })
	if len(list) == 0 {
		return "", nil
	}
	i := nearest(d, list)
	if list[i].Status == types.ServiceDeploymentStatusStopped {
		return successor(ctx, client, d, list[i], list[i+1:])
	}
	return aws.ToString(list[i].ServiceDeploymentArn), nil
}

// before reports whether a service deployment existed before d.
func before(d ecs.Deployment, b types.ServiceDeploymentBrief) bool {
	return aws.ToTime(b.CreatedAt).Before(d.Created.Add(-slack)) || slices.ContainsFunc(d.Service.Deployments, func(p ecs.ServiceDeployment) bool {
		return p.ARN == aws.ToString(b.ServiceDeploymentArn)
	})
}

// nearest returns the place of the one created nearest to ours.
func nearest(d ecs.Deployment, list []types.ServiceDeploymentBrief) int {
	away := func(b types.ServiceDeploymentBrief) time.Duration {
		return aws.ToTime(b.CreatedAt).Sub(d.Created).Abs()
	}
	best := 0
	for i, b := range list {
		if away(b) < away(list[best]) {
			best = i
		}
	}
	return best
}

// successor returns the last of the deployments since that one call of ours may
// have started after the stopped one, else that one itself; empty as long as
// one may not be listed yet.
func successor(ctx context.Context, client revisionsAPI, d ecs.Deployment, stopped types.ServiceDeploymentBrief, since []types.ServiceDeploymentBrief) (string, error) {
	if len(since) == 0 && time.Since(d.Created) < replacedWithin {
		return "", nil
	}
	since = slices.DeleteFunc(slices.Clone(since), func(b types.ServiceDeploymentBrief) bool {
		return aws.ToTime(b.CreatedAt).Sub(aws.ToTime(stopped.CreatedAt)) > callTime
	})
	since = since[:min(len(since), deploymentsAtOnce)] // also the limit for revisions
	if len(since) == 0 {
		return aws.ToString(stopped.ServiceDeploymentArn), nil
	}
	in := &awsecs.DescribeServiceRevisionsInput{}
	for _, b := range since {
		in.ServiceRevisionArns = append(in.ServiceRevisionArns, aws.ToString(b.TargetServiceRevisionArn))
	}
	out, err := client.DescribeServiceRevisions(ctx, in)
	if err == nil {
		err = ecs.CheckRevisions(in.ServiceRevisionArns, out.ServiceRevisions, out.Failures)
	}
	if err != nil {
		return "", fmt.Errorf("reading the revisions of %s: %w", d.Service.Ref, err)
	}
	for _, b := range slices.Backward(since) {
		i := slices.IndexFunc(out.ServiceRevisions, func(r types.ServiceRevision) bool {
			return aws.ToString(r.ServiceRevisionArn) == aws.ToString(b.TargetServiceRevisionArn)
		})
		if i >= 0 && targets(d, out.ServiceRevisions[i]) {
			return aws.ToString(b.ServiceDeploymentArn), nil
		}
	}
	return aws.ToString(stopped.ServiceDeploymentArn), nil
}

// targets reports whether a service revision is one that our call may have
// made.
func targets(d ecs.Deployment, r types.ServiceRevision) bool {
	if aws.ToString(r.TaskDefinition) != d.TaskDefinition {
		return false
	}
	for container, digest := range ecs.ImageDigests(r.ContainerImages) {
		if w, ok := d.Wants[container]; ok && !w.Has(digest) {
			return false
		}
	}
	return true
}

// hasNumberedRevisions reports whether the deployments that the service had are
// known to be numbered like their revisions.
func hasNumberedRevisions(s ecs.Service) bool {
	for _, d := range s.Raw.Deployments {
		for _, p := range s.Deployments {
			if n := awsname.AfterSlash(aws.ToString(d.Id)); n != "" && n == awsname.AfterSlash(p.Revision) {
				return true
			}
		}
	}
	return false
}

// deploymentsSince lists the service deployments created after a time, the
// oldest first.
func deploymentsSince(ctx context.Context, client listDeploymentsAPI, s ecs.Service, after time.Time) ([]types.ServiceDeploymentBrief, error) {
	in := &awsecs.ListServiceDeploymentsInput{
		Cluster:   s.ClusterID(),
		Service:   s.ServiceID(),
		CreatedAt: &types.CreatedAt{After: aws.Time(after)},
	}
	var list []types.ServiceDeploymentBrief
	err := awsclient.EachPage("ECS ListServiceDeployments", func(token *string) (*string, error) {
		in.NextToken = token
		out, err := client.ListServiceDeployments(ctx, in)
		if err == nil {
			err = awsclient.CheckList("ECS", "ListServiceDeployments", "deployments", out.ServiceDeployments)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, out.ServiceDeployments...)
		return out.NextToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the deployments of %s: %w", s.Ref, err)
	}
	slices.SortStableFunc(list, func(a, b types.ServiceDeploymentBrief) int {
		return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt))
	})
	return list, nil
}

// locate finds the service deployments that are not known yet. One that ECS
// does not list within the time to settle is followed without.
func (f Follower) locate(ctx context.Context, trackers []*tracker) {
	var missing []*tracker
	for _, tr := range trackers {
		if tr.arn != "" || tr.withoutServiceDeployments || tr.byCodeDeploy() {
			continue
		}
		if tr.withoutServiceDeployments = time.Since(tr.begun) > f.settle(); tr.withoutServiceDeployments {
			tr.reportOnce("ECS does not list the service deployment: following it with DescribeServices")
			continue
		}
		missing = append(missing, tr)
	}
	each(missing, func(tr *tracker) { tr.arn, tr.deploymentErr = find(ctx, f.ECS, tr.d) })
}
