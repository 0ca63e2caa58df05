// Package surroundings reads what only AWS knows of task definitions: the outputs of their
// stacks, and the ARNs and the versions of their secrets.
package surroundings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/rollout/secret"
	"slipway/rollout/secret/stored"
	"slipway/rollout/task"
	"slipway/stack/outputs"
)

// maxStacks is the number of requests to CloudFormation at once.
const maxStacks = 4

// Surroundings are the surroundings of task definitions, as AWS describes them.
type Surroundings struct {
	// Definitions are the definitions with the values that were read, in their order.
	// Names in capitals stay where the caller may not read.
	Definitions []task.Definition
	// Stacks are the outputs of the stacks by their names.
	Stacks map[string]outputs.Outputs
	// Denied are the requests that the caller may not make, sorted.
	Denied []Denied
}

// Denied is a request that the caller may not make.
type Denied struct {
	// Action is the action of IAM, such as cloudformation:DescribeStacks, and On the
	// name or the ARN of the resource.
	Action, On string
	// Err is the answer of AWS.
	Err error
}

// String returns the action and the resource.
func (d Denied) String() string { return d.Action + " on " + d.On }

// Read reads the stacks that definitions name and the secrets in Secrets Manager that their
// containers read: one DescribeStacks for each stack, and one DescribeSecret for each
// secret, all at once. A definition that needs neither takes no request, and neither does
// a parameter of the Parameter Store. No value of a secret is read.
//
// Errors of the kinds fault.Usage and fault.Input say that a stack, an output or a secret
// is missing.
func Read(ctx context.Context, c *awsclient.Clients, definitions []task.Definition) (Surroundings, error) {
	refs := references(definitions)
	var states []stored.State
	var g errgroup.Group
	g.Go(func() error {
		var secrets []secret.Secret
		for _, r := range refs {
			secrets = append(secrets, r.Secret)
		}
		states = stored.Read(ctx, c, secrets)
		return nil
	})
	out := Surroundings{Stacks: map[string]outputs.Outputs{}}
	errs := out.readStacks(ctx, c, definitions)
	_ = g.Wait() // each secret has its error
	secrets := found{arns: map[string]string{}, versions: map[string]string{}}
	bad := out.take(&secrets, refs, states)
	slices.SortFunc(out.Denied, func(a, b Denied) int { return strings.Compare(a.String(), b.String()) })
	for _, d := range definitions {
		filled, err := out.in(d, secrets)
		errs = append(errs, err)
		out.Definitions = append(out.Definitions, filled)
	}
	return out, errors.Join(append(errs, bad...)...)
}

// readStacks reads the stacks that definitions need.
func (s *Surroundings) readStacks(ctx context.Context, c *awsclient.Clients, definitions []task.Definition) []error {
	names := stacks(definitions)
	errs := make([]error, len(names))
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(maxStacks)
	for i, name := range names {
		g.Go(func() error {
			got, err := outputs.Read(ctx, c.CloudFormation(), name)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				s.Stacks[name] = got
			case awsclient.Denied(err):
				s.Denied = append(s.Denied, Denied{"cloudformation:DescribeStacks", name, err})
			default:
				errs[i] = err
			}
			return nil
		})
	}
	_ = g.Wait() // each stack has its error
	return errs
}

// stacks returns the stacks that definitions need, sorted.
func stacks(definitions []task.Definition) []string {
	var out []string
	for _, d := range definitions {
		fromStack := func(p task.Place) bool { return p.Field != "secrets" }
		if d.Stack != "" && slices.ContainsFunc(d.Unknown(), fromStack) {
			out = append(out, d.Stack)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// found are the secrets that were described.
type found struct {
	// arns are those of the project's own secrets, by their names in the compose file.
	arns map[string]string
	// versions are ids by the value of valueFrom.
	versions map[string]string
}

// take takes the descriptions of secrets. It returns an error for each that no task can
// start with.
func (s *Surroundings) take(to *found, refs []reference, states []stored.State) []error {
	var errs []error
	for i, state := range states {
		problem := state.Problem()
		switch {
		case awsclient.Denied(state.Err):
			s.Denied = append(s.Denied, Denied{state.Action(), state.ID, state.Err})
		case state.Err != nil:
			errs = append(errs, fault.As(fault.AWS, fmt.Errorf("describing secret %s: %w", state.ID, state.Err)))
		case problem != "":
			errs = append(errs, fault.NewInput(refs[i].where, state.ID+" "+problem+": no task can start with it", state.Remedy()))
		case !state.External:
			to.arns[state.Key], to.versions[state.ARN] = state.ARN, state.Current
		default:
			to.versions[refs[i].valueFrom] = state.Current
		}
	}
	return errs
}

// in returns a definition in its surroundings.
func (s *Surroundings) in(d task.Definition, secrets found) (task.Definition, error) {
	var around task.Surroundings
	var err error
	if stack, ok := s.Stacks[d.Stack]; ok {
		around, err = stack.Surroundings(d)
	}
	around.Secrets, around.Versions = secrets.arns, secrets.versions
	return d.In(around), err
}
