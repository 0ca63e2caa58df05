package ecs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/fault"
)

// parallel bounds the calls under way at once, well below ECS's bursts.
const parallel = 8

type serviceDescriber interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
}

type taskLister interface {
	ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
}

type taskReader interface {
	taskLister
	DescribeTasks(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error)
}

type deploymentReader interface {
	ListServiceDeployments(context.Context, *ecs.ListServiceDeploymentsInput, ...func(*ecs.Options)) (*ecs.ListServiceDeploymentsOutput, error)
	revisionReader
}

type revisionReader interface {
	DescribeServiceRevisions(context.Context, *ecs.DescribeServiceRevisionsInput, ...func(*ecs.Options)) (*ecs.DescribeServiceRevisionsOutput, error)
}

type serviceReader interface {
	serviceDescriber
	definitionReader
	taskReader
	deploymentReader
}

// Read reads services with their task definitions, deployments and running
// images, in the order of refs. It takes one call for each ten services of a
// cluster, then for each service, several at a time: one for the task
// definition, one for its deployments and one for its revisions (both not with
// other controllers than ECS), one for each page of its tasks and one for each
// 100 tasks. Where the caller may not read deployments or revisions, a service
// has what DescribeServices says of them, and Service.Unread.
//
// Errors: a *MissingError for each service that does not exist, joined.
func Read(ctx context.Context, client serviceReader, refs []Ref) ([]Service, error) {
	described, err := describeServices(ctx, client, refs, false)
	if err != nil {
		return nil, err
	}
	return readAll(ctx, client, refs, described)
}

// ReadDefinitions reads services with the task definitions that they will run now, in the
// order of refs: one call for each ten services of a cluster, and one for each service.
//
// Errors: a *MissingError for each service that does not exist, joined.
func ReadDefinitions(ctx context.Context, client interface {
	serviceDescriber
	definitionReader
}, refs []Ref) ([]Service, error) {
	described, err := describeServices(ctx, client, refs, false)
	if err != nil {
		return nil, err
	}
	out := make([]Service, len(refs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, ref := range refs {
		out[i] = newService(ref, described[ref])
		if arn := definitionOf(described[ref]); arn != "" {
			g.Go(func() (err error) {
				out[i].Definition, err = describe(ctx, client, arn)
				return err
			})
		}
	}
	return out, g.Wait()
}

// readDetails reads what DescribeServices does not return: task definition,
// deployments and tasks, all at once.
func readDetails(ctx context.Context, client serviceReader, s Service) (Service, error) {
	var definition Definition
	var running map[string]map[string]int
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		// A service of an external controller has none until that gives it a
		// task set.
		if arn := definitionOf(s.Raw); arn != "" {
			definition, err = describe(ctx, client, arn)
		}
		return err
	})
	var history deploymentHistory
	if s.Controller == types.DeploymentControllerTypeEcs {
		g.Go(func() (err error) {
			history, err = readHistory(ctx, client, s)
			return err
		})
	}
	g.Go(func() (err error) {
		running, err = runningDigests(ctx, client, s, allPages)
		return err
	})
	if err := g.Wait(); err != nil {
		return Service{}, err
	}
	s.Definition, s.Deployments, s.Unread = definition, history.deployments, history.unread
	for _, c := range definition.containers() {
		name := stringField(c, "name")
		s.Containers = append(s.Containers, Container{Name: name, Image: stringField(c, "image"), Resolved: history.resolved[name], Running: running[name]})
	}
	return s, nil
}

// newService returns a service from its description.
func newService(ref Ref, raw types.Service) Service {
	s := Service{
		Ref: ref, ARN: aws.ToString(raw.ServiceArn), Raw: raw,
		Controller: types.DeploymentControllerTypeEcs, Strategy: types.DeploymentStrategyRolling,
		Desired: int(raw.DesiredCount), Running: int(raw.RunningCount), Pending: int(raw.PendingCount),
	}
	if c := raw.DeploymentController; c != nil && c.Type != "" {
		s.Controller = c.Type
	}
	if c := raw.DeploymentConfiguration; c != nil {
		s.Strategy = cmp.Or(c.Strategy, s.Strategy)
		s.Wait = strategyWait(*c)
	}
	return s
}

// DescribeServices describes services that were read before, with one call for
// ten services of a cluster.
//
// Errors: a *MissingError for each service that has vanished, joined.
func DescribeServices(ctx context.Context, client serviceDescriber, refs []Ref) (map[Ref]types.Service, error) {
	return describeServices(ctx, client, refs, true)
}

// describeServices is findServices for services of which none may be missing.
func describeServices(ctx context.Context, client serviceDescriber, refs []Ref, vanished bool) (map[Ref]types.Service, error) {
	found, missing, err := findServices(ctx, client, refs, vanished)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, m := range missing {
		errs = append(errs, m)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return found, nil
}

// findServices describes each of refs with one call for ten services of a
// cluster, the most that it takes (API reference, DescribeServices). vanished
// is that of the errors.
func findServices(ctx context.Context, client serviceDescriber, refs []Ref, vanished bool) (map[Ref]types.Service, []*MissingError, error) {
	batches := batchByCluster(refs)
	answers := make([]*ecs.DescribeServicesOutput, len(batches))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, batch := range batches {
		g.Go(func() (err error) {
			answers[i], err = describeTen(ctx, client, batch)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	found := make(map[Ref]types.Service, len(refs))
	var missing []*MissingError
	for i, batch := range batches {
		for _, ref := range batch {
			s, err := pick(ref, answers[i])
			if err != nil {
				err.Region, err.Vanished = regionOf(client), vanished
				missing = append(missing, err)
				continue
			}
			found[ref] = s
		}
	}
	return found, missing, nil
}

// batchByCluster splits references into batches of at most ten, each within one
// cluster. Equal references are taken once.
func batchByCluster(refs []Ref) [][]Ref {
	var clusters []string
	of := map[string][]Ref{}
	for _, ref := range refs {
		c := ref.cluster()
		if of[c] == nil {
			clusters = append(clusters, c)
		}
		if !slices.Contains(of[c], ref) {
			of[c] = append(of[c], ref)
		}
	}
	var batches [][]Ref
	for _, c := range clusters {
		batches = slices.AppendSeq(batches, slices.Chunk(of[c], 10))
	}
	return batches
}

// describeTen describes up to ten services of one cluster; the answer is nil
// when the cluster is not there.
func describeTen(ctx context.Context, client serviceDescriber, refs []Ref) (*ecs.DescribeServicesOutput, error) {
	cluster := refs[0].cluster()
	in := &ecs.DescribeServicesInput{Cluster: optional(cluster), Include: []types.ServiceField{types.ServiceFieldTags}}
	for _, ref := range refs {
		in.Services = append(in.Services, ref.Service)
	}
	out, err := client.DescribeServices(ctx, in)
	if gone := new(types.ClusterNotFoundException); errors.As(err, &gone) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading ECS services of cluster %s: %w", cmp.Or(cluster, "default"), err)
	}
	return out, CheckServices(in.Services, out.Services, out.Failures)
}

// pick finds a service in the answer to describeTen.
func pick(ref Ref, out *ecs.DescribeServicesOutput) (types.Service, *MissingError) {
	if out == nil {
		return types.Service{}, &MissingError{Ref: ref, Reason: "the cluster does not exist", NoCluster: true}
	}
	i := slices.IndexFunc(out.Services, ref.Names)
	if i < 0 {
		return types.Service{}, &MissingError{Ref: ref, Reason: "the service does not exist"}
	}
	if status := aws.ToString(out.Services[i].Status); status != "ACTIVE" {
		return types.Service{}, &MissingError{Ref: ref, Reason: "the service is " + status, Raw: out.Services[i]}
	}
	return out.Services[i], nil
}

// regionOf returns the region of a client of the SDK, or "" for another.
func regionOf(client serviceDescriber) string {
	if c, ok := client.(interface{ Options() ecs.Options }); ok {
		return c.Options().Region
	}
	return ""
}

// MissingError is an ECS service that does not exist, or was deleted: ECS
// describes a deleted one for a while as DRAINING or INACTIVE.
type MissingError struct {
	Ref
	// Region is the region that was asked; empty where it is not known.
	Region string
	// Reason is why the service counts as missing.
	Reason string
	// NoCluster reports that the cluster does not exist.
	NoCluster bool
	// Raw is ECS's description of a deleted service; zero if it has none.
	Raw types.Service
	// Vanished reports that the service existed when it was read before.
	Vanished bool
}

// Error names the service, the cluster, the region and the reason.
func (e *MissingError) Error() string {
	where := "cluster " + cmp.Or(e.cluster(), "default")
	if e.Region != "" {
		where += " in " + e.Region
	}
	return fmt.Sprintf("ECS service %s in %s: %s", e.Service, where, e.Reason)
}

// Kind returns fault.Usage for a service that was named wrongly, and fault.AWS
// for one that has vanished.
func (e *MissingError) Kind() fault.Kind {
	if e.Vanished {
		return fault.AWS
	}
	return fault.Usage
}
