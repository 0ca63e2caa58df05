package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// Paused is an ECS service whose deployment waits at a lifecycle hook.
type Paused struct {
	service ecs.Service
	pause   follow.Pause
}

// FindPauses are the services whose deployments wait. None is wrong usage, and what the
// services do instead is said.
func FindPauses(ctx context.Context, c *awsclient.Clients, services []ecs.Service) ([]Paused, error) {
	var found []Paused
	var states []string
	for _, service := range services {
		pause, ok, err := follow.FindPause(ctx, c.ECS(), service)
		if err != nil {
			return nil, fault.As(fault.AWS, err)
		}
		if ok {
			found = append(found, Paused{service, pause})
		}
		states = append(states, service.Ref.String()+" "+stateOf(service))
	}
	if len(found) > 0 {
		return found, nil
	}
	return nil, refuse(NoPause, "no deployment waits at a lifecycle hook: %s", strings.Join(states, "; "))
}

func stateOf(s ecs.Service) string {
	switch {
	case s.Controller != types.DeploymentControllerTypeEcs:
		return "is deployed by " + string(s.Controller) + " (aws deploy continue-deployment --deployment-id ID)"
	case len(s.Deployments) == 0:
		return "has no deployment"
	default:
		return "has a deployment that is " + string(s.Deployments[0].Status)
	}
}

// Answer continues the paused deployments, or rolls them back, and follows them. It
// returns the results also with an error.
func Answer(ctx context.Context, host *project.Host, aws *awsclient.Clients, o Options, s *Services, waiting []Paused, abort bool, h Hooks) ([]Result, error) {
	d := newJob(host, aws, o, s, &Target{}, h)
	err := d.answer(ctx, waiting, abort)
	return d.sorted(), err
}

func (d *job) answer(ctx context.Context, waiting []Paused, abort bool) error {
	action, done := types.DeploymentLifecycleHookActionContinue, "continued"
	if abort {
		action, done = types.DeploymentLifecycleHookActionRollback, "aborted"
	}
	var under []ecs.Deployment
	var errs []error
	for _, p := range waiting {
		if err := p.pause.Continue(ctx, d.aws.ECS(), action); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.service.Ref, err))
			continue
		}
		d.Infof("%s: %s the deployment at lifecycle hook %s (%s)", p.service.Ref, done, p.pause.Hook, p.pause.Stage)
		if dep, ok := follow.Resume(p.service); ok {
			under = append(under, dep)
		}
	}
	if d.options.NoWait {
		for _, dep := range under {
			d.add(dep, done, "")
		}
		return fault.As(fault.AWS, errors.Join(errs...))
	}
	return errors.Join(fault.As(fault.AWS, errors.Join(errs...)), d.followAnswered(ctx, under, abort))
}

// followAnswered follows answered deployments to their ends. It stops none: the command that
// started one may follow it too.
func (d *job) followAnswered(ctx context.Context, deployments []ecs.Deployment, abort bool) error {
	var bad []follow.Outcome
	var unseen []error
	var interrupted bool
	for _, o := range d.follow(ctx, deployments) {
		d.addOutcome(o)
		switch {
		case o.Status == follow.Succeeded, abort && o.Status == follow.RolledBack:
		case o.Status == follow.Interrupted:
			interrupted = true
		case o.Status == follow.Unverified:
			d.explain(o)
			unseen = append(unseen, fmt.Errorf("%s: deployment %s could not be followed, so nothing is verified: %w", o.Deployment.Service.Ref, o.Deployment.ID, o.Err))
		default:
			d.explain(o)
			bad = append(bad, o)
		}
		if o.Status == follow.RolledBack {
			ref := o.Deployment.Service.Ref
			d.warn(TagsLeft, []ecs.Ref{ref}, "%s: the tags are where the command that deployed it left them", ref)
		}
	}
	switch {
	case len(bad) > 0:
		return &FailedError{Outcomes: bad}
	case len(unseen) > 0:
		return fault.As(fault.AWS, errors.Join(unseen...))
	case interrupted:
		return &fault.InterruptedError{State: "interrupted: the deployment goes on"}
	}
	return nil
}
