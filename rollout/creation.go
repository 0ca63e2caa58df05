package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"

	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/internal/fault"
	"slipway/internal/plain"
	"slipway/rollout/create"
	"slipway/rollout/ecs"
	"slipway/rollout/task"
	"slipway/rollout/task/diff"
	"slipway/stack"
	"slipway/stack/outputs"
)

// readPresent reads the ECS services. Those that do not exist are an error unless they may
// be created.
func (s *Services) readPresent(ctx context.Context, c *awsclient.Clients) ([]ecs.Service, []*ecs.MissingError, error) {
	services, missing, err := ecs.ReadPresent(ctx, c.ECS(), s.Refs())
	if err != nil || s.Create {
		return services, missing, fault.As(fault.AWS, err)
	}
	var errs []error
	for _, m := range missing {
		errs = append(errs, s.creatable(m))
	}
	return services, nil, errors.Join(errs...)
}

// creatable returns the error for a missing service. Its hint depends on whether the
// service could be created.
func (s *Services) creatable(m *ecs.MissingError) error {
	if _, ok := s.Settings[m.Ref]; !ok || m.NoCluster {
		return m
	}
	return &Error{Problem: NoService, Err: m, kind: m.Kind()}
}

// addMissing completes the services with those to create. It makes one request for each, for
// the task definition that an interrupted run has registered.
func (s *Services) addMissing(ctx context.Context, c *awsclient.Clients, services []ecs.Service, missing []*ecs.MissingError) error {
	var errs []error
	for _, m := range missing {
		i := slices.Index(s.Refs(), m.Ref)
		made, err := s.newService(m)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		services[i] = made
		if s.List[i].registered, _, err = ecs.ReadFamily(ctx, c.ECS(), s.Settings[m.Ref].Input.Family); err != nil {
			errs = append(errs, fault.As(fault.AWS, err))
		}
	}
	return errors.Join(errs...)
}

// newService returns a service that is to be created.
func (s *Services) newService(m *ecs.MissingError) (ecs.Service, error) {
	d, ok := s.Settings[m.Ref]
	switch status := aws.ToString(m.Raw.Status); {
	case status != "" && status != "INACTIVE":
		return ecs.Service{}, &Error{Problem: Draining, Err: m, kind: fault.Usage}
	case m.NoCluster:
		return ecs.Service{}, s.noCluster(m, d)
	case !ok:
		return ecs.Service{}, refuse(NoDefinition, "%s cannot be created: the build has no task definition for it", m.Ref)
	case d.Stack == "":
		return ecs.Service{}, refuse(NoStack, "%s cannot be created: x-slipway.task names no stack", m.Ref)
	}
	around, err := s.outputsOf(m.Ref, d)
	if err == nil {
		err = s.shared(m.Ref, d, around)
	}
	if err != nil {
		return ecs.Service{}, err
	}
	request, err := create.Request(m.Cluster, m.Service, d, around)
	if err != nil {
		return ecs.Service{}, err
	}
	// A deleted service has its own past requests.
	before := ""
	if m.Raw.CreatedAt != nil {
		before = m.Raw.CreatedAt.UTC().String()
	}
	made := ecs.NewService(m.Ref, int(aws.ToInt32(request.DesiredCount)), ecs.Creation{
		Lines: create.Lines(request),
		Request: func(definition string) (*awsecs.CreateServiceInput, error) {
			return create.With(request, definition, before)
		},
	})
	if p, ok := awsname.PartitionOf(around.Region); ok {
		// The stack is the caller's, and so is the service.
		made.ARN = fmt.Sprintf("arn:%s:ecs:%s:%s:service/%s", p.ID, around.Region, around.Account, m.Service)
	}
	return made, nil
}

// noCluster is the error for a missing cluster. It names the templates that make one, or
// the cluster of the stack.
func (s *Services) noCluster(m *ecs.MissingError, d task.Definition) error {
	if s.Around != nil {
		if name := s.Around.Stacks[d.Stack].Cluster(); name != "" {
			return fault.New(fault.Usage, m, plain.Sprintf("name the cluster of stack %s in x-slipway.ecs: cluster: %s", d.Stack, name))
		}
	}
	templates, err := stack.WithOutput("Cluster")
	if err != nil {
		return err
	}
	return fault.New(fault.Usage, m, fmt.Sprintf("deploy a template of `slipway stack` that makes a cluster (%s), or name another one in x-slipway.ecs", strings.Join(templates, ", ")))
}

// outputsOf returns the outputs of the stack of a definition.
func (s *Services) outputsOf(ref ecs.Ref, d task.Definition) (outputs.Outputs, error) {
	if s.Around != nil {
		if found, ok := s.Around.Stacks[d.Stack]; ok {
			return found, nil
		}
		if len(s.Around.Denied) > 0 {
			return outputs.Outputs{}, &Error{Problem: Unreadable, kind: fault.AWS, Err: fmt.Errorf(
				"%s cannot be created without the outputs of stack %s: the caller may not call %s", ref, d.Stack, names(s.Around.Denied))}
		}
	}
	return outputs.Outputs{}, refuse(NoStack, "%s cannot be created: the outputs of stack %s have not been read", ref, d.Stack)
}

// shared refuses to put a service behind the target group of another one: a load balancer
// would send the requests of both to either.
func (s *Services) shared(ref ecs.Ref, d task.Definition, around outputs.Outputs) error {
	if d.Entry == nil || around.Values["TargetGroup"] == "" {
		return nil
	}
	for _, st := range s.List {
		if other, ok := s.Settings[st.Ref]; ok && st.Ref != ref && other.Entry != nil && other.Stack == d.Stack {
			return refuse(OneTargetGroup, "%s cannot be created: stack %s has one target group, and %s receives requests, too", ref, d.Stack, st.Ref)
		}
	}
	return nil
}

// withNewSettings returns a service to create with its settings: in the definition that an
// interrupted run has registered, or else in a new one.
func (s *Services) withNewSettings(st *Service) (ecs.Service, error) {
	d := s.Settings[st.Ref]
	next, err := diff.New(d)
	if err != nil {
		return st.State, err
	}
	if len(next.Unknown) > 0 {
		return st.State, s.unknownSettings(st.Ref, d, next.Unknown)
	}
	definition := ecs.Definition{Family: d.Input.Family, Fields: next.Fields, Tags: next.Tags}
	if (diff.Running{Fields: st.registered.Fields, Tags: st.registered.Tags}).Is(d) {
		definition = st.registered
	}
	return st.State.With(ecs.Settings{Definition: definition}), nil
}

// logNew says how services will be created.
func (d *job) logNew(c ecs.Change) {
	if c.Service.New == nil {
		return
	}
	for _, line := range c.Service.New.Lines {
		d.Infof("%s: %s", c.Service.Ref, plain.Text(line))
	}
}

// warnNew says of services that were created and failed that there is nothing to roll back
// to.
func (d *job) warnNew(s *Services) {
	for _, st := range s.List {
		if st.State.New != nil {
			d.warn(FirstFailed, []ecs.Ref{st.Ref}, "%s: this was its first deployment, so there is nothing to roll back to: the service stays", st.Ref)
		}
	}
}

// withoutNew returns the services without those that were created.
func (s *Services) withoutNew() *Services {
	return s.only(slices.DeleteFunc(slices.Clone(s.List), func(st *Service) bool { return st.State.New != nil })...)
}
