package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/rollout/ecs"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"
)

const (
	// servicesAtOnce and deploymentsAtOnce are the API's limits for one call.
	servicesAtOnce    = 10
	deploymentsAtOnce = 20
)

// refresh reads the present state of everything watched.
func (f Follower) refresh(ctx context.Context, watches []*tracker) {
	var group errgroup.Group
	group.SetLimit(parallelCalls)
	for _, batch := range byCluster(watches) {
		group.Go(func() error { f.services(ctx, batch); return nil })
	}
	for batch := range slices.Chunk(located(watches), deploymentsAtOnce) {
		group.Go(func() error { f.deployments(ctx, batch); return nil })
	}
	for _, w := range watches {
		if w.byCodeDeploy() {
			group.Go(func() error { w.deploymentErr = f.codeDeploy(ctx, w); return nil })
		}
	}
	_ = group.Wait()
}

// byCluster splits the watches into what one DescribeServices may ask for.
func byCluster(watches []*tracker) [][]*tracker {
	clusters := map[string][]*tracker{}
	var order []string
	for _, w := range watches {
		name := aws.ToString(w.d.Service.ClusterID())
		if clusters[name] == nil {
			order = append(order, name)
		}
		clusters[name] = append(clusters[name], w)
	}
	var batches [][]*tracker
	for _, name := range order {
		batches = slices.AppendSeq(batches, slices.Chunk(clusters[name], servicesAtOnce))
	}
	return batches
}

func located(watches []*tracker) []*tracker {
	return slices.DeleteFunc(slices.Clone(watches), func(w *tracker) bool {
		return w.arn == "" || w.plain || w.byCodeDeploy()
	})
}

func (f Follower) services(ctx context.Context, batch []*tracker) {
	in := &awsecs.DescribeServicesInput{Cluster: batch[0].d.Service.ClusterID()}
	for _, w := range batch {
		if id := aws.ToString(w.d.Service.ServiceID()); !slices.Contains(in.Services, id) {
			in.Services = append(in.Services, id)
		}
	}
	out, err := f.ECS.DescribeServices(ctx, in)
	if err == nil {
		err = ecs.CheckServices(in.Services, out.Services, out.Failures)
	}
	for _, w := range batch {
		if err != nil {
			w.serviceErr = fmt.Errorf("describing %s: %w", w.d.Service.Ref, err)
			continue
		}
		w.seeService(out)
	}
}

// seeService takes the service of the watch out of an answer.
func (w *tracker) seeService(out *awsecs.DescribeServicesOutput) {
	for _, s := range out.Services {
		if w.d.Service.Names(s) {
			w.service = &s
			// A deleted service drains first and is listed as inactive for a while.
			w.gone = aws.ToString(s.Status) != "ACTIVE" && aws.ToString(s.Status) != ""
			return
		}
	}
	_, name := w.d.Service.ShortNames()
	w.gone = slices.ContainsFunc(out.Failures, func(x types.Failure) bool {
		return aws.ToString(x.Reason) == "MISSING" && awsname.LastPart(aws.ToString(x.Arn)) == name
	})
}

func (f Follower) deployments(ctx context.Context, batch []*tracker) {
	in := &awsecs.DescribeServiceDeploymentsInput{}
	for _, w := range batch {
		in.ServiceDeploymentArns = append(in.ServiceDeploymentArns, w.arn)
	}
	out, err := f.ECS.DescribeServiceDeployments(ctx, in)
	for _, w := range batch {
		if err != nil {
			w.deploymentErr = fmt.Errorf("describing the deployment of %s: %w", w.d.Service.Ref, err)
			continue
		}
		for _, sd := range out.ServiceDeployments {
			if aws.ToString(sd.ServiceDeploymentArn) == w.arn {
				w.deployment = &sd
			}
		}
		w.deploymentErr = checkDeployments([]string{w.arn}, out)
	}
}

// admit looks at the errors of a round: what asking again may mend is told once, a
// Refusal to read deployments means following without them, all else is an end.
func (w *tracker) admit(ctx context.Context) {
	errs := []error{w.serviceErr, w.deploymentErr, w.taskErr}
	refused := w.deploymentErr != nil && awsclient.Denied(w.deploymentErr) && !w.byCodeDeploy()
	w.serviceErr, w.deploymentErr, w.taskErr = nil, nil, nil
	if ctx.Err() != nil || w.ended {
		return
	}
	if refused {
		w.plain = true
		w.once("service deployments may not be read (ecs:ListServiceDeployments, ecs:DescribeServiceDeployments): following by what DescribeServices tells")
		errs[1] = nil
	}
	if errs[2] != nil && awsclient.Denied(errs[2]) {
		// The stopped tasks explain, they do not decide.
		w.once("the stopped tasks may not be read: " + errs[2].Error())
		errs[2] = nil
	}
	for _, err := range errs {
		switch {
		case err == nil:
		case awsclient.Retryable(err):
			w.once("AWS does not answer, asking again: " + err.Error())
		default:
			w.fail(err)
			return
		}
	}
}

// fail ends the following with an error.
func (w *tracker) fail(err error) {
	if deleted(err) {
		w.end(Failed, "the service was deleted while it was being deployed")
	} else {
		w.end(Failed, err.Error())
	}
	w.outcome.Err = err
}

// deleted tells whether ECS says that a service, or its cluster, is gone.
func deleted(err error) bool {
	var cluster *types.ClusterNotFoundException
	var service *types.ServiceNotFoundException
	var inactive *types.ServiceNotActiveException
	return errors.As(err, &cluster) || errors.As(err, &service) || errors.As(err, &inactive)
}
