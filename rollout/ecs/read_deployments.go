package ecs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
)

// readDeployments reads a page of a service's latest deployments, newest first,
// and the digests of its present revision by container. The newest deployment
// and those of present revisions have their digests.
func readDeployments(ctx context.Context, client deploymentReader, s Service) ([]ServiceDeployment, map[string]string, error) {
	out, err := client.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Cluster: s.ClusterID(), Service: s.ServiceID()})
	if err == nil {
		err = awsclient.CheckList("ECS", "ListServiceDeployments", "deployments", out.ServiceDeployments)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("listing its deployments: %w", err)
	}
	deployments := serviceDeployments(out.ServiceDeployments)
	present := presentRevision(s.Raw, deployments)
	var arns []string
	for _, r := range s.Raw.CurrentServiceRevisions {
		arns = append(arns, aws.ToString(r.Arn))
	}
	arns = append(arns, present)
	if len(deployments) > 0 {
		arns = append(arns, deployments[0].Revision)
	}
	digests, err := RevisionDigests(ctx, client, arns)
	if err != nil {
		return nil, nil, err
	}
	for i := range deployments {
		deployments[i].Digests = digests[deployments[i].Revision]
	}
	return deployments, digests[present], nil
}

// presentRevision returns the revision whose images ECS gives to every new
// task: the target of a deployment that goes on, else the one that the service
// has; where ECS does not say, that of the last deployment that was successful.
func presentRevision(raw types.Service, deployments []ServiceDeployment) string {
	if len(deployments) > 0 && advances(deployments[0].Status) {
		return deployments[0].Revision
	}
	revisions := slices.Clone(raw.CurrentServiceRevisions)
	if len(deployments) > 0 && !deployments[0].Ended() { // it goes back: not to its own target
		revisions = slices.DeleteFunc(revisions, func(r types.ServiceCurrentRevisionSummary) bool {
			return aws.ToString(r.Arn) == deployments[0].Revision
		})
	}
	if len(revisions) > 0 {
		most := slices.MaxFunc(revisions, func(a, b types.ServiceCurrentRevisionSummary) int {
			return int(a.RequestedTaskCount - b.RequestedTaskCount)
		})
		return aws.ToString(most.Arn)
	}
	i := slices.IndexFunc(deployments, func(p ServiceDeployment) bool { return p.Status == types.ServiceDeploymentStatusSuccessful })
	if i < 0 {
		return ""
	}
	return deployments[i].Revision
}

// advances reports whether a deployment is under way to its own target.
func advances(status types.ServiceDeploymentStatus) bool {
	return status == types.ServiceDeploymentStatusPending || status == types.ServiceDeploymentStatusInProgress
}

// serviceDeployments returns the deployments that ECS lists, newest first
// whatever their order there.
func serviceDeployments(briefs []types.ServiceDeploymentBrief) []ServiceDeployment {
	var all []ServiceDeployment
	for _, b := range briefs {
		all = append(all, ServiceDeployment{
			ARN: aws.ToString(b.ServiceDeploymentArn), Status: b.Status, Reason: aws.ToString(b.StatusReason),
			Created: aws.ToTime(b.CreatedAt), Finished: aws.ToTime(b.FinishedAt), Revision: aws.ToString(b.TargetServiceRevisionArn),
		})
	}
	slices.SortStableFunc(all, func(a, b ServiceDeployment) int { return b.Created.Compare(a.Created) })
	return all
}

// RevisionDigests reads the digests of service revisions, by ARN and container,
// with one call for each 20 of them (API reference, DescribeServiceRevisions).
// Empty and equal ARNs are left out.
func RevisionDigests(ctx context.Context, client revisionReader, arns []string) (map[string]map[string]string, error) {
	arns = slices.Clone(arns)
	slices.Sort(arns)
	arns = slices.DeleteFunc(slices.Compact(arns), func(arn string) bool { return arn == "" })
	chunks := slices.Collect(slices.Chunk(arns, 20))
	answers := make([]map[string]map[string]string, len(chunks))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, some := range chunks {
		g.Go(func() error {
			out, err := client.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: some})
			if err != nil {
				return fmt.Errorf("reading its service revisions: %w", err)
			}
			answers[i] = map[string]map[string]string{}
			for _, r := range out.ServiceRevisions {
				answers[i][aws.ToString(r.ServiceRevisionArn)] = ImageDigests(r.ContainerImages)
			}
			return CheckRevisions(some, out.ServiceRevisions, out.Failures)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := map[string]map[string]string{}
	for _, a := range answers {
		maps.Copy(all, a)
	}
	return all, nil
}

// ImageDigests returns the digests of a service revision by container. It
// leaves out containers without one, as with versionConsistency disabled.
func ImageDigests(images []types.ContainerImage) map[string]string {
	digests := map[string]string{}
	for _, i := range images {
		digest := aws.ToString(i.ImageDigest)
		if _, pinned, ok := strings.Cut(aws.ToString(i.Image), "@"); digest == "" && ok {
			digest = pinned
		}
		if digest != "" {
			digests[aws.ToString(i.ContainerName)] = digest
		}
	}
	return digests
}
