package follow

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsname"
	"slipway/rollout/ecs"
)

// Pause is a deployment under way that waits at a lifecycle hook until it is
// continued or rolled back.
type Pause struct {
	// Deployment is the ARN of the service deployment, Hook the hook's id.
	Deployment, Hook string
	// Stage is the lifecycle stage at which it waits.
	Stage types.ServiceDeploymentLifecycleStage
	// Until is when ECS takes the action Then by itself; zero where ECS does
	// not say.
	Until time.Time
	Then  types.DeploymentLifecycleHookAction
}

// String says what the deployment waits for: "paused by a lifecycle hook until
// 2026-11-22T04:00:00Z, then rollback".
func (p Pause) String() string {
	text := "paused by a lifecycle hook"
	if !p.Until.IsZero() {
		text += fmt.Sprintf(" until %s, then %s", p.Until.UTC().Format(time.RFC3339), strings.ToLower(string(p.Then)))
	}
	return text
}

// pauseOf returns the first hook of a service deployment that waits for an
// answer (API reference, DeploymentLifecycleHookDetail).
func pauseOf(sd types.ServiceDeployment) (Pause, bool) {
	for _, h := range sd.LifecycleHookDetails {
		if h.Status == types.DeploymentLifecycleHookStatusAwaitingAction {
			return Pause{
				Deployment: aws.ToString(sd.ServiceDeploymentArn), Hook: aws.ToString(h.HookId), Stage: sd.LifecycleStage,
				Until: aws.ToTime(h.ExpiresAt), Then: h.TimeoutAction,
			}, true
		}
	}
	return Pause{}, false
}

// FindPause returns the hook at which the newest deployment of a service waits,
// and whether there is one. It takes one call where a deployment is under way,
// else none.
func FindPause(ctx context.Context, client deploymentsAPI, s ecs.Service) (Pause, bool, error) {
	p := s.UnderWay()
	if p == nil || p.ARN == "" {
		return Pause{}, false, nil
	}
	out, err := client.DescribeServiceDeployments(ctx, &awsecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{p.ARN}})
	if err == nil {
		err = checkDeployments([]string{p.ARN}, out)
	}
	if err != nil {
		return Pause{}, false, fmt.Errorf("reading the deployment of ECS service %s: %w", s.Ref, err)
	}
	for _, sd := range out.ServiceDeployments {
		if pause, ok := pauseOf(sd); ok {
			return pause, true, nil
		}
	}
	return Pause{}, false, nil
}

type deploymentContinuer interface {
	ContinueServiceDeployment(context.Context, *awsecs.ContinueServiceDeploymentInput, ...func(*awsecs.Options)) (*awsecs.ContinueServiceDeploymentOutput, error)
}

// Continue lets a paused deployment go on to its next stage, or with the action
// ROLLBACK has ECS roll the service back to the previous images. It takes one
// call; follow the deployment to see how it ends.
func (p Pause) Continue(ctx context.Context, client deploymentContinuer, action types.DeploymentLifecycleHookAction) error {
	_, err := client.ContinueServiceDeployment(ctx, &awsecs.ContinueServiceDeploymentInput{
		ServiceDeploymentArn: &p.Deployment, HookId: &p.Hook, Action: action,
	})
	if err != nil {
		return fmt.Errorf("answering the lifecycle hook %s: %w", p.Hook, err)
	}
	return nil
}

// Resume returns the deployment under way of a service, to be followed to its
// end. Its tasks are to run the digests that ECS resolved for it.
func Resume(s ecs.Service) (ecs.Deployment, bool) {
	p := s.UnderWay()
	if p == nil {
		return ecs.Deployment{}, false
	}
	d := ecs.Deployment{
		Service: s, ID: "ecs-svc/" + awsname.LastPart(p.Revision), ARN: p.ARN, Created: p.Created,
		TaskDefinition: s.Definition.ARN, Wants: map[string]ecs.DesiredImage{}, Wait: s.Wait,
	}
	for _, e := range s.Raw.Deployments {
		if aws.ToString(e.Status) == "PRIMARY" {
			d.ID = aws.ToString(e.Id)
		}
	}
	for _, c := range s.Containers {
		if digest := p.Digests[c.Name]; digest != "" {
			d.Wants[c.Name] = ecs.DesiredImage{Image: c.Image, Digests: []string{digest}}
		}
	}
	return d, true
}
