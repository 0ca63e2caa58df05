package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// showServices prints the ECS services of every cluster, clusters and services
// in order of their names.
func showServices(ctx context.Context, client *ecs.Client, out io.Writer) error {
	clusters := ecs.NewListClustersPaginator(client, &ecs.ListClustersInput{})
	for clusters.HasMorePages() {
		page, err := clusters.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, cluster := range page.ClusterArns {
			if err := showCluster(ctx, client, cluster, out); err != nil {
				return err
			}
		}
	}
	return nil
}

func showCluster(ctx context.Context, client *ecs.Client, cluster string, out io.Writer) error {
	// A page is what DescribeServices takes at once.
	pages := ecs.NewListServicesPaginator(client, &ecs.ListServicesInput{Cluster: &cluster, MaxResults: aws.Int32(10)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		if len(page.ServiceArns) == 0 {
			return nil
		}
		found, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: page.ServiceArns})
		if err != nil {
			return err
		}
		for _, s := range found.Services {
			if err := showService(ctx, client, s, out); err != nil {
				return err
			}
		}
	}
	return nil
}

func showService(ctx context.Context, client *ecs.Client, s types.Service, out io.Writer) error {
	running, err := runningDigests(ctx, client, s)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s/%s (%s) %s: desired %d, running %d, pending %d\n", last(aws.ToString(s.ClusterArn)), aws.ToString(s.ServiceName),
		how(s), cmp.Or(last(aws.ToString(s.TaskDefinition)), "no task definition"), s.DesiredCount, s.RunningCount, s.PendingCount)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range slices.SortedFunc(maps.Keys(running), func(a, b runs) int {
		return cmp.Or(cmp.Compare(a.container, b.container), cmp.Compare(a.digest, b.digest))
	}) {
		fmt.Fprintf(t, "  %s\t%.19s\tin %d\n", r.container, r.digest, running[r])
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, d := range s.Deployments {
		if d.RolloutState != types.DeploymentRolloutStateCompleted && d.RolloutState != "" {
			fmt.Fprintf(out, "  deployment of %s %s: %d of %d running, %d failed\n",
				last(aws.ToString(d.TaskDefinition)), d.RolloutState, d.RunningCount, d.DesiredCount, d.FailedTasks)
		}
	}
	return nil
}

// how names the controller, or with ECS the strategy.
func how(s types.Service) string {
	if c := s.DeploymentController; c != nil && c.Type != types.DeploymentControllerTypeEcs {
		return string(c.Type)
	}
	if c := s.DeploymentConfiguration; c != nil && c.Strategy != "" {
		return string(c.Strategy)
	}
	return string(types.DeploymentStrategyRolling)
}

// runs is a container and what it runs.
type runs struct{ container, digest string }

// runningDigests counts the running tasks for each container and digest.
func runningDigests(ctx context.Context, client *ecs.Client, s types.Service) (map[runs]int, error) {
	out := map[runs]int{}
	pages := ecs.NewListTasksPaginator(client, &ecs.ListTasksInput{Cluster: s.ClusterArn, ServiceName: s.ServiceName})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		if len(page.TaskArns) == 0 {
			break
		}
		tasks, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: s.ClusterArn, Tasks: page.TaskArns})
		if err != nil {
			return nil, err
		}
		for _, t := range tasks.Tasks {
			if aws.ToString(t.LastStatus) != "RUNNING" {
				continue
			}
			for _, c := range t.Containers {
				out[runs{aws.ToString(c.Name), cmp.Or(aws.ToString(c.ImageDigest), "no digest")}]++
			}
		}
	}
	return out, nil
}

// last is the part of an ARN after its last slash.
func last(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
