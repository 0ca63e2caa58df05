package ecs

import (
	"context"
	"errors"
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

// deploymentHistory is the deployments of a service as far as ECS returns them.
type deploymentHistory struct {
	// deployments are a page of the latest ones, newest first. The newest and
	// those of present revisions have their digests.
	deployments []ServiceDeployment
	// resolved are the digests of the present revision by container.
	resolved map[string]string
	// unread is Service.Unread.
	unread error
}

// readHistory reads a service's latest deployments and the digests of its
// present revision. Where the deployments cannot be read, the primary one of
// DescribeServices stands for them; digests that cannot be read are left out.
func readHistory(ctx context.Context, client deploymentReader, s Service) (h deploymentHistory, err error) {
	h.deployments, err = listDeployments(ctx, client, s)
	if HistoryUnavailable(err) {
		h.unread = err
		if p, ok := primaryDeployment(s.Raw); ok {
			h.deployments = []ServiceDeployment{p}
		}
	} else if err != nil {
		return h, err
	}
	present := presentRevision(s.Raw, h.deployments)
	revisions, err := Revisions(ctx, client, revisionsOf(s.Raw, present, h.deployments))
	if HistoryUnavailable(err) {
		h.unread = errors.Join(h.unread, err)
		return h, nil
	}
	for i := range h.deployments {
		h.deployments[i].describe(revisions)
	}
	h.resolved = revisions[present].Digests
	return h, err
}

// listDeployments reads a page of a service's latest deployments.
func listDeployments(ctx context.Context, client deploymentReader, s Service) ([]ServiceDeployment, error) {
	out, err := client.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Cluster: s.ClusterID(), Service: s.ServiceID()})
	if err == nil {
		err = awsclient.CheckList("ECS", "ListServiceDeployments", "deployments", out.ServiceDeployments)
	}
	if err != nil {
		return nil, fmt.Errorf("listing its deployments: %w", err)
	}
	return serviceDeployments(out.ServiceDeployments), nil
}

// revisionsOf returns the revisions whose digests matter: those with tasks, the
// present one and that of the newest deployment.
func revisionsOf(raw types.Service, present string, deployments []ServiceDeployment) []string {
	arns := []string{present}
	for _, r := range raw.CurrentServiceRevisions {
		arns = append(arns, aws.ToString(r.Arn))
	}
	if len(deployments) > 0 {
		arns = append(arns, deployments[0].Revision)
	}
	return arns
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

// ServiceRevision is a revision of a service: what a deployment deploys.
type ServiceRevision struct {
	// TaskDefinition is the ARN of its task definition.
	TaskDefinition string
	// Digests are the images that it resolved to, by container.
	Digests map[string]string
}

// describe fills in what is known of the deployment's revision.
func (p *ServiceDeployment) describe(revisions map[string]ServiceRevision) {
	if r, ok := revisions[p.Revision]; ok {
		p.Digests, p.TaskDefinition = r.Digests, r.TaskDefinition
	}
}

// WithRevisions returns deployments with their images and task definitions. It
// reads those that are not known, with one call for each 20 different revisions.
func WithRevisions(ctx context.Context, client revisionReader, deployments []ServiceDeployment) ([]ServiceDeployment, error) {
	var arns []string
	for _, p := range deployments {
		if p.TaskDefinition == "" {
			arns = append(arns, p.Revision)
		}
	}
	revisions, err := Revisions(ctx, client, arns)
	deployments = slices.Clone(deployments)
	for i := range deployments {
		deployments[i].describe(revisions)
	}
	return deployments, err
}

// RevisionDigests returns the digests of Revisions, by ARN and container.
func RevisionDigests(ctx context.Context, client revisionReader, arns []string) (map[string]map[string]string, error) {
	revisions, err := Revisions(ctx, client, arns)
	digests := map[string]map[string]string{}
	for arn, r := range revisions {
		digests[arn] = r.Digests
	}
	return digests, err
}

// Revisions reads service revisions by ARN, with one call for each 20 of them
// (API reference, DescribeServiceRevisions). Empty and equal ARNs are left out.
func Revisions(ctx context.Context, client revisionReader, arns []string) (map[string]ServiceRevision, error) {
	arns = slices.Clone(arns)
	slices.Sort(arns)
	arns = slices.DeleteFunc(slices.Compact(arns), func(arn string) bool { return arn == "" })
	chunks := slices.Collect(slices.Chunk(arns, 20))
	answers := make([]map[string]ServiceRevision, len(chunks))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, some := range chunks {
		g.Go(func() error {
			out, err := client.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: some})
			if err != nil {
				return fmt.Errorf("reading its service revisions: %w", err)
			}
			answers[i] = map[string]ServiceRevision{}
			for _, r := range out.ServiceRevisions {
				answers[i][aws.ToString(r.ServiceRevisionArn)] = ServiceRevision{aws.ToString(r.TaskDefinition), ImageDigests(r.ContainerImages)}
			}
			return CheckRevisions(some, out.ServiceRevisions, out.Failures)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := map[string]ServiceRevision{}
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
