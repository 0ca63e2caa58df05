package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"slipway/project"
	"slipway/registry"
	"slipway/rollout"
	"slipway/rollout/ecs"
)

const (
	checkBreaker  = "circuit breaker"
	checkSteps    = "deployment limits"
	checkImageURI = "imageUri"
)

// readService is an ECS service of the project as ECS describes it, or the reason why it
// does not.
type readService struct {
	*rollout.Service
	state ecs.Service
	err   error
}

// readServices reads the services that the project's flags or compose file name. One that
// cannot be read keeps no other back.
func (d *doctor) readServices(ctx context.Context) ([]readService, error) {
	c, err := d.cloud()
	if err != nil {
		return nil, err
	}
	list := rollout.NewServices(d.plan.ECS, true).List
	out := make([]readService, len(list))
	var g errgroup.Group
	g.SetLimit(rollout.MaxCalls)
	for i, st := range list {
		out[i].Service = st
		g.Go(func() error {
			services, err := rollout.ReadServices(ctx, c, []ecs.Ref{st.Ref})
			if out[i].err = err; err == nil {
				out[i].state = services[0]
			}
			return nil
		})
	}
	return out, g.Wait()
}

// checkECS judges the ECS services.
func (d *doctor) checkECS(ctx context.Context) []Finding {
	c, err := d.cloud()
	if err != nil {
		return []Finding{broken(err)}
	}
	read, err := d.services()
	if err != nil {
		return []Finding{broken(err)}
	}
	each := make([][]Finding, len(read))
	var g errgroup.Group
	g.SetLimit(rollout.MaxCalls)
	for i, s := range read {
		if s.err != nil {
			each[i] = []Finding{d.onECS(d.unread(s)).of(s.Ref.String())}
			continue
		}
		g.Go(func() error {
			each[i] = d.judgeService(s.Service, s.state, checkProviders(ctx, c, s.state))
			return nil
		})
	}
	_ = g.Wait() // each finding has its error
	return slices.Concat(each...)
}

// unread returns the finding for a service that cannot be read. The compose file may have
// all that a missing one takes.
func (d *doctor) unread(s readService) Finding {
	f := broken(s.err)
	var missing *ecs.MissingError
	settings := d.plan.Settings.Task
	if errors.As(s.err, &missing) && !missing.NoCluster && settings != nil && settings.Stack != "" {
		f.Remedy = "`slipway build --rollout --create-service` creates it; or correct x-slipway.ecs"
	}
	return f
}

// onECS turns a failure that only a rollout has into a warning, if build is not
// to deploy.
func (d *doctor) onECS(f Finding) Finding {
	if d.options.Rollout {
		return f
	}
	return f.Softened()
}

func (d *doctor) judgeService(st *rollout.Service, s ecs.Service, capacity []Finding) []Finding {
	out := []Finding{d.driven(s)}
	if s.Controller == types.DeploymentControllerTypeEcs {
		out = append(out, breakerFinding(s.Raw.DeploymentConfiguration))
		out[len(out)-1].Check = checkBreaker
	}
	if why := ecs.Blocks(s.Raw); why != "" {
		out = append(out, Warned("aws ecs update-service --deployment-configuration maximumPercent=200 with the service's --cluster and --service", "%s", why))
		out[len(out)-1].Check = checkSteps
	}
	out = append(out, capacity...)
	for i := range out {
		out[i].Subject = s.Ref.String()
	}
	for _, name := range slices.Sorted(maps.Keys(st.Containers)) {
		f := d.imageFinding(s, name, st.Containers[name])
		f.Check = checkImageURI
		out = append(out, f.of(s.Ref.String()+" "+name))
	}
	return out
}

// driven reports whether Slipway could deploy the service.
func (d *doctor) driven(s ecs.Service) Finding {
	if _, err := ecs.Decide(s, nil, false); err != nil {
		return d.onECS(broken(err))
	}
	detail := fmt.Sprintf("%d of %d running, %s", s.Running, s.Desired, path.Base(s.Definition.ARN))
	if p := s.UnderWay(); p != nil {
		detail += ", a deployment is under way"
	}
	if s.Express() {
		detail += ", owned by ECS Express Mode, whose updates may overwrite a rollout"
	}
	if s.Stalled() {
		return Warned("slipway rollback --previous, or with the revision that runs", "%s; its deployment failed and ECS does not roll it back: a lost task is not replaced", detail)
	}
	if s.Controller != types.DeploymentControllerTypeEcs {
		return Fine("%s, deployed by %s", detail, s.Controller)
	}
	return Fine("%s, deployed by ECS (%s)", detail, s.Strategy)
}

func breakerFinding(c *types.DeploymentConfiguration) Finding {
	const remedy = "aws ecs update-service --deployment-configuration 'deploymentCircuitBreaker={enable=true,rollback=true}' with the service's --cluster and --service"
	switch {
	case c == nil || c.DeploymentCircuitBreaker == nil || !c.DeploymentCircuitBreaker.Enable:
		return Warned(remedy, "is off: failing tasks are restarted until slipway's timeout stops the deployment")
	case !c.DeploymentCircuitBreaker.Rollback:
		return Warned(remedy+", or --rollback-on-failure", "is on and does not roll back: after a deployment that fails, a lost task is not replaced until the service is deployed again")
	case ecs.ResetsBreaker(c):
		return Fine("is on and rolls back; a healthy task resets its count, so a deployment whose tasks crash later goes on until slipway's timeout")
	default:
		return Fine("is on and rolls back")
	}
}

// imageFinding compares what the task definition calls a container's image with what the
// definitions will call it.
func (d *doctor) imageFinding(s ecs.Service, name string, repo registry.Ref) Finding {
	i := slices.IndexFunc(s.Containers, func(c ecs.Container) bool { return c.Name == name })
	if i < 0 {
		err := &ecs.ContainerError{Definition: path.Base(s.Definition.ARN), Missing: []string{name}}
		for _, c := range s.Containers {
			err.Have = append(err.Have, c.Name)
		}
		return d.onECS(broken(err))
	}
	image := s.Containers[i].Image
	if present, ok := project.RepositoryOfImage(image); !ok || present.Name != repo.Name {
		return Warned("a rollout changes that; if it should stay, name its repository with x-slipway.repository", "runs %s, and build pushes to %s", image, repo)
	}
	return styleFinding(ecs.StyleOf(image), ecs.Style(d.build.ImageRef))
}

// styleFinding reports what becomes of the style. None of it keeps build from
// running.
func styleFinding(present, will ecs.Style) Finding {
	switch {
	case present == will:
		return Fine("by %s, as --image-ref has it", present)
	case present == ecs.StyleLatest:
		return Warned("--image-ref latest keeps it", "the task definition names latest; the first rollout will register one that names the image by %s", will)
	case will == ecs.StyleLatest:
		return Warned("--image-ref "+string(present)+" keeps it", "the task definition names the image by %s; the first rollout will register one that names latest, and each later one needs a forced deployment", present)
	default:
		return Fine("by %s; the next rollout will register one by %s", present, will)
	}
}
