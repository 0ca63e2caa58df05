package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/rollout/ecs"
)

const (
	// servicesAtOnce and deploymentsAtOnce are the API's limits for one call.
	servicesAtOnce    = 10
	deploymentsAtOnce = 20
)

// refresh reads the present state of everything watched.
func (f Follower) refresh(ctx context.Context, trackers []*tracker) {
	var group errgroup.Group
	group.SetLimit(parallelCalls)
	for _, batch := range byCluster(trackers) {
		group.Go(func() error { f.describeServices(ctx, batch); return nil })
	}
	for batch := range slices.Chunk(withARN(trackers), deploymentsAtOnce) {
		group.Go(func() error { f.describeDeployments(ctx, batch); return nil })
	}
	for _, tr := range trackers {
		if tr.byCodeDeploy() {
			group.Go(func() error { tr.deploymentErr = f.readCodeDeploy(ctx, tr); return nil })
		}
	}
	_ = group.Wait()
}

// byCluster splits the trackers into what one DescribeServices may ask for.
func byCluster(trackers []*tracker) [][]*tracker {
	clusters := map[string][]*tracker{}
	var order []string
	for _, tr := range trackers {
		name := aws.ToString(tr.d.Service.ClusterID())
		if clusters[name] == nil {
			order = append(order, name)
		}
		clusters[name] = append(clusters[name], tr)
	}
	var batches [][]*tracker
	for _, name := range order {
		batches = slices.AppendSeq(batches, slices.Chunk(clusters[name], servicesAtOnce))
	}
	return batches
}

func withARN(trackers []*tracker) []*tracker {
	return slices.DeleteFunc(slices.Clone(trackers), func(tr *tracker) bool {
		return tr.arn == "" || tr.withoutServiceDeployments || tr.byCodeDeploy()
	})
}

func (f Follower) describeServices(ctx context.Context, batch []*tracker) {
	in := &awsecs.DescribeServicesInput{Cluster: batch[0].d.Service.ClusterID()}
	for _, tr := range batch {
		if id := aws.ToString(tr.d.Service.ServiceID()); !slices.Contains(in.Services, id) {
			in.Services = append(in.Services, id)
		}
	}
	out, err := f.ECS.DescribeServices(ctx, in)
	if err == nil {
		err = ecs.CheckServices(in.Services, out.Services, out.Failures)
	}
	for _, tr := range batch {
		if err != nil {
			tr.serviceErr = fmt.Errorf("describing %s: %w", tr.d.Service.Ref, err)
			continue
		}
		tr.setService(out)
	}
}

// setService takes the service of the tracker out of an answer.
func (tr *tracker) setService(out *awsecs.DescribeServicesOutput) {
	for _, s := range out.Services {
		if tr.d.Service.Names(s) {
			tr.service = &s
			// A deleted service drains first and is listed as inactive for a
			// while.
			tr.deleted = aws.ToString(s.Status) != "ACTIVE" && aws.ToString(s.Status) != ""
			return
		}
	}
	_, name := tr.d.Service.ShortNames()
	tr.deleted = slices.ContainsFunc(out.Failures, func(x types.Failure) bool {
		return aws.ToString(x.Reason) == "MISSING" && awsname.LastPart(aws.ToString(x.Arn)) == name
	})
}

func (f Follower) describeDeployments(ctx context.Context, batch []*tracker) {
	in := &awsecs.DescribeServiceDeploymentsInput{}
	for _, tr := range batch {
		in.ServiceDeploymentArns = append(in.ServiceDeploymentArns, tr.arn)
	}
	out, err := f.ECS.DescribeServiceDeployments(ctx, in)
	for _, tr := range batch {
		if err != nil {
			tr.deploymentErr = fmt.Errorf("describing the deployment of %s: %w", tr.d.Service.Ref, err)
			continue
		}
		for _, sd := range out.ServiceDeployments {
			if aws.ToString(sd.ServiceDeploymentArn) == tr.arn {
				tr.deployment = &sd
			}
		}
		tr.deploymentErr = checkDeployments([]string{tr.arn}, out)
	}
}

// handleErrors handles the errors of a round. One that a repetition may resolve
// is reported once. If reading service deployments is denied, the tracker goes
// on without them. Any other error ends the tracking.
func (tr *tracker) handleErrors(ctx context.Context) {
	errs := []error{tr.serviceErr, tr.deploymentErr, tr.taskErr}
	refused := tr.deploymentErr != nil && ecs.HistoryUnavailable(tr.deploymentErr) && !tr.byCodeDeploy()
	tr.serviceErr, tr.deploymentErr, tr.taskErr = nil, nil, nil
	if ctx.Err() != nil || tr.ended {
		return
	}
	if refused {
		tr.withoutServiceDeployments = true
		tr.reportOnce("reading service deployments is not allowed (ecs:ListServiceDeployments, ecs:DescribeServiceDeployments): following it with DescribeServices")
		errs[1] = nil
	}
	if errs[2] != nil && awsclient.Denied(errs[2]) {
		// The stopped tasks explain, they do not decide.
		tr.reportOnce("could not read the stopped tasks: " + errs[2].Error())
		errs[2] = nil
	}
	for _, err := range errs {
		switch {
		case err == nil:
		case awsclient.Retryable(err):
			tr.reportOnce("a request to AWS failed, trying again: " + err.Error())
		default:
			tr.failWith(err)
			return
		}
	}
}

// failWith ends the tracking with an error.
func (tr *tracker) failWith(err error) {
	if deleted(err) {
		tr.end(Failed, "the service was deleted during the deployment")
	} else {
		tr.end(Unverified, err.Error())
	}
	tr.outcome.Err = err
}

// deleted reports whether ECS says that a service, or its cluster, does not
// exist.
func deleted(err error) bool {
	var cluster *types.ClusterNotFoundException
	var service *types.ServiceNotFoundException
	var inactive *types.ServiceNotActiveException
	return errors.As(err, &cluster) || errors.As(err, &service) || errors.As(err, &inactive)
}
