package ecs

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
)

// tasksAtOnce is the limit of DescribeTasks (API reference).
const tasksAtOnce = 100

// How many pages of 100 tasks are read.
const (
	onePage  = 1
	allPages = 0
)

// runningDigests counts the running tasks of a service by container and digest;
// the digest is empty where ECS reports none. Where there are several task
// sets, only the tasks of the one that serves count. It takes one ListTasks and
// one DescribeTasks for each 100 tasks.
func runningDigests(ctx context.Context, client taskReader, s Service, pages int) (map[string]map[string]int, error) {
	serving := PrimaryTaskSet(s.Raw)
	if len(s.Raw.TaskSets) < 2 {
		serving = nil
	}
	if serving != nil {
		pages = allPages // the first ones may all be of another set
	}
	tasks, err := readTasks(ctx, client, s, pages)
	if err != nil {
		return nil, err
	}
	if serving != nil {
		tasks = startedBy(tasks, aws.ToString(serving.Id))
	}
	return CountDigests(tasks), nil
}

// startedBy returns the running ones of the tasks that a deployment or task set
// started.
func startedBy(tasks []types.Task, id string) []types.Task {
	return slices.DeleteFunc(slices.Clone(tasks), func(t types.Task) bool {
		return aws.ToString(t.StartedBy) != id || aws.ToString(t.LastStatus) != "RUNNING"
	})
}

// readTasks describes the tasks of a service that are to run.
func readTasks(ctx context.Context, client taskReader, s Service, pages int) ([]types.Task, error) {
	arns, err := listTasks(ctx, client, s, types.DesiredStatusRunning, pages)
	if err != nil {
		return nil, fmt.Errorf("listing its tasks: %w", err)
	}
	chunks := slices.Collect(slices.Chunk(arns, tasksAtOnce))
	answers := make([][]types.Task, len(chunks))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, some := range chunks {
		g.Go(func() error {
			out, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: s.ClusterID(), Tasks: some})
			if err != nil {
				return fmt.Errorf("reading its tasks: %w", err)
			}
			answers[i] = out.Tasks
			return CheckTasks(some, out.Tasks, out.Failures)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(answers...), nil
}

// ListTasks lists the ARNs of all tasks of a service that have a desired
// status, with one call for each 100 of them. The error does not name the
// operation.
func ListTasks(ctx context.Context, client taskLister, s Service, status types.DesiredStatus) ([]string, error) {
	return listTasks(ctx, client, s, status, allPages)
}

func listTasks(ctx context.Context, client taskLister, s Service, status types.DesiredStatus, pages int) ([]string, error) {
	_, name := s.ShortNames()
	in := &ecs.ListTasksInput{Cluster: s.ClusterID(), ServiceName: &name, DesiredStatus: status}
	var arns []string
	page := 0
	err := awsclient.EachPage("ECS ListTasks of "+name, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := client.ListTasks(ctx, in)
		if err == nil {
			err = awsclient.CheckList("ECS", "ListTasks", "tasks", out.TaskArns)
		}
		if err != nil {
			return nil, err
		}
		arns = append(arns, out.TaskArns...)
		if page++; page == pages {
			return nil, nil
		}
		return out.NextToken, nil
	})
	return arns, err
}

// CountDigests counts the running tasks by container and digest. A task that is
// being started has no digests yet, and one that is being stopped does not
// count.
func CountDigests(tasks []types.Task) map[string]map[string]int {
	counts := map[string]map[string]int{}
	for _, task := range tasks {
		if aws.ToString(task.LastStatus) != "RUNNING" {
			continue
		}
		for _, c := range task.Containers {
			name := aws.ToString(c.Name)
			if counts[name] == nil {
				counts[name] = map[string]int{}
			}
			counts[name][aws.ToString(c.ImageDigest)]++
		}
	}
	return counts
}
