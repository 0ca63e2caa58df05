package iam

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Policy is an IAM policy ("IAM JSON policy elements reference" in the IAM user
// guide).
type Policy struct {
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

// Statement allows actions on resources.
type Statement struct {
	Effect    string    `json:"Effect"`
	Action    []string  `json:"Action"`
	Resource  []string  `json:"Resource"`
	Condition Condition `json:"Condition,omitempty"`
}

// Condition has operators, their keys, and the values that each may have.
type Condition map[string]map[string][]string

// Use describes the use of a policy: the commands, their flags and their scope.
type Use struct {
	// Commands are subcommands of slipway, as Commands lists them.
	Commands []string
	// CreateRepositories, CreateService, Rollout, NoLatest and Preview are the flags of
	// that name.
	CreateRepositories, CreateService, Rollout, NoLatest, Preview bool
	// Untrusted is the flag of that name. Such a build moves no tag, removes none, and
	// neither reads nor writes a lifecycle policy.
	Untrusted bool
	// CodeDeploy reports whether CodeDeploy deploys the ECS services, not ECS.
	CodeDeploy bool
	// Tags reports whether the task definitions have tags, which each new revision
	// gets.
	Tags bool
	// RequireScan and RequireSignature report whether images are deployed only with a
	// scan, and only with a signature.
	RequireScan, RequireSignature bool
	// Schedules reports whether status reads scheduled tasks.
	Schedules bool
	// Wait reports whether submit waits for the pipeline.
	Wait bool
	// Push reports whether secrets are written, not only listed.
	Push bool
	// Named reports whether flags name the ECS services, not the compose file.
	Named bool
	Scope
}

// UseError is a use for which there is no policy.
type UseError struct {
	// Field is the invalid field of Scope; empty if the use itself is invalid.
	Field   string
	Problem string
	// Reason is the reason where the remedy is a matter of the command line.
	Reason UseReason
	remedy string
}

// UseReason is why there is no policy for a use.
type UseReason int

// The reasons whose remedy is a matter of the command line.
const (
	OtherReason UseReason = iota
	// UntrustedWrites is an untrusted build that is to deploy, create
	// repositories or upload.
	UntrustedWrites
	// NoService is a use that needs an ECS service and names none.
	NoService
)

// Error returns the problem.
func (e *UseError) Error() string { return e.Problem }

// Hint returns the remedy.
func (e *UseError) Hint() string { return e.remedy }

// Commands are the subcommands that make requests to AWS, in order.
func Commands() []string {
	var out []string
	for _, n := range needs {
		out = append(out, n.commands...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Policy returns the least policy for a use. The same use gives the same policy:
// statements and everything in them are sorted. Errors are *UseError.
func (u Use) Policy() (Policy, error) {
	u.NoLatest = u.NoLatest || u.Untrusted
	if err := u.check(); err != nil {
		return Policy{}, err
	}
	statements := map[string]*Statement{}
	for _, n := range needs {
		if !n.wanted(u) {
			continue
		}
		resources, condition := u.on(n.on)
		key := fmt.Sprint(resources, condition)
		if statements[key] == nil {
			statements[key] = &Statement{Effect: "Allow", Resource: resources, Condition: condition}
		}
		statements[key].Action = append(statements[key].Action, n.actions...)
	}
	p := Policy{Version: "2012-10-17"}
	for _, s := range statements {
		slices.Sort(s.Action)
		s.Action = slices.Compact(s.Action)
		p.Statement = append(p.Statement, *s)
	}
	slices.SortFunc(p.Statement, func(a, b Statement) int {
		return cmp.Or(slices.Compare(a.Action, b.Action), slices.Compare(a.Resource, b.Resource))
	})
	return p, nil
}

func (u Use) check() error {
	if len(u.Commands) == 0 {
		return &UseError{Problem: "no command is named", remedy: "name one or several of " + strings.Join(Commands(), ", ")}
	}
	for _, c := range u.Commands {
		if !slices.Contains(Commands(), c) {
			return &UseError{Problem: fmt.Sprintf("there is no permission to list for %q", c), remedy: "the commands that ask AWS are " + strings.Join(Commands(), ", ")}
		}
	}
	if u.Untrusted && (u.Rollout || u.CreateRepositories || u.Artifact != "") {
		return &UseError{Problem: "an untrusted build deploys nothing, creates no repositories and uploads nothing", Reason: UntrustedWrites}
	}
	for _, n := range needs {
		if n.wanted(u) && len(u.Services) == 0 && n.on.ecs() {
			return &UseError{Problem: "no ECS service is named, neither in the compose file nor by a flag", Reason: NoService}
		}
	}
	return u.Scope.check()
}

// JSON returns the policy as IAM reads it, with a newline at its end.
func (p Policy) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("writing the policy: %w", err)
	}
	return b.Bytes(), nil
}

// Limits of a policy's length, white space not counted ("IAM and AWS STS
// quotas" in the IAM user guide).
const (
	MaxManagedPolicy = 6144  // a policy of its own
	MaxRolePolicies  = 10240 // all policies in one role together
)

// Size returns the policy's length as IAM counts it, in characters.
func (p Policy) Size() int {
	b, err := json.Marshal(p)
	if err != nil {
		return 0 // strings alone always can be written
	}
	return len(b)
}
