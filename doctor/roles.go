package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"golang.org/x/sync/errgroup"

	"slipway/buildspec/iam"
	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/internal/shell"
	"slipway/retention"
)

// taskService is the service that assumes the roles of tasks ("Task execution IAM role"
// in the ECS developer guide).
const taskService = "ecs-tasks.amazonaws.com"

// checkRoles looks whether the roles of the task definitions exist, whether tasks may
// assume them, and whether the execution roles may start the containers.
func (d *doctor) checkRoles(ctx context.Context) []Finding {
	c, err := d.cloud()
	if err != nil {
		return []Finding{broken(err)}
	}
	found, err := d.tasks()
	if err != nil {
		return []Finding{broken(err)}
	}
	client := awsiam.NewFromConfig(c.Config)
	actions := found.executionActions(c.Config.Region)
	all := found.roles()
	each := make([]Finding, len(all))
	var g errgroup.Group
	g.SetLimit(retention.MaxCalls)
	for i, arn := range all {
		g.Go(func() error {
			each[i] = d.roleFinding(ctx, client, arn, actions[arn]).of(path.Base(arn))
			return nil
		})
	}
	_ = g.Wait() // each finding has its error
	return each
}

// roles returns the ARNs of the roles of the task definitions, sorted.
func (t foundTasks) roles() []string {
	var out []string
	for _, use := range t.uses {
		for _, role := range []string{use.Input.ExecutionRoleARN, use.Input.TaskRoleARN} {
			if strings.HasPrefix(role, "arn:") {
				out = append(out, role)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// roleFinding judges one role by its ARN. actions are those that it needs as an execution
// role, none for a task role.
func (d *doctor) roleFinding(ctx context.Context, client *awsiam.Client, arn string, actions iam.Policy) Finding {
	name := path.Base(arn)
	out, err := client.GetRole(ctx, &awsiam.GetRoleInput{RoleName: &name})
	var none *types.NoSuchEntityException
	switch {
	case errors.As(err, &none):
		return d.onECS(Finding{Status: StatusFailed, Detail: "does not exist: no task can start with it", Kind: fault.Input,
			Remedy: "create it, or name another one; a template of `slipway stack` makes one"})
	case awsclient.Denied(err):
		return Unchecked("allow iam:GetRole on it", "%v", err)
	case err == nil && out.Role == nil:
		return d.onECS(broken(awsclient.Incomplete("IAM", "GetRole", "role "+name)))
	case err != nil:
		return d.onECS(broken(fault.As(fault.AWS, err)))
	case aws.ToString(out.Role.Arn) != arn:
		return d.onECS(Finding{Status: StatusFailed, Kind: fault.Input, Detail: fmt.Sprintf("%s does not exist: no task can start with it. The role of this name is %s", arn, aws.ToString(out.Role.Arn)),
			Remedy: "write the ARN with the path of the role"})
	case !trusts(aws.ToString(out.Role.AssumeRolePolicyDocument)):
		return d.onECS(Finding{Status: StatusFailed, Detail: "tasks may not assume it: no task can start with it", Kind: fault.AWS,
			Remedy: "allow sts:AssumeRole to the service " + taskService + " in its trust policy: aws iam update-assume-role-policy --role-name " + shell.Word(name) + " --policy-document …"})
	}
	if len(actions.Statement) == 0 {
		return Fine("exists, and tasks may assume it")
	}
	return d.executionFinding(ctx, client, arn, actions)
}

// executionFinding judges what an execution role may do.
func (d *doctor) executionFinding(ctx context.Context, client *awsiam.Client, arn string, actions iam.Policy) Finding {
	answers, err := simulate(ctx, client, arn, actions)
	if err != nil {
		return Unchecked("allow iam:SimulatePrincipalPolicy on it to have its permissions checked", "IAM cannot be asked about it: %v", err)
	}
	var denied []string
	for _, action := range slices.Sorted(maps.Keys(answers)) {
		if len(answers[action]) > 0 {
			denied = append(denied, action+" "+denialText(answers[action]))
		}
	}
	if len(denied) == 0 {
		return Fine("exists, tasks may assume it, and it may start them: %s allowed, says IAM's simulation", phrase.Count(len(answers), "action"))
	}
	return d.onECS(Finding{Status: StatusFailed, Kind: fault.AWS, Detail: "no task can start with it: " + strings.Join(denied, "; "),
		Remedy: "allow it in the policies of the execution role " + arn})
}

// trusts reports whether a trust policy, URL-encoded as IAM returns it, lets tasks assume
// the role.
func trusts(document string) bool {
	text, err := url.PathUnescape(document)
	var policy struct{ Statement many[trust] }
	if err != nil || json.Unmarshal([]byte(text), &policy) != nil {
		return true // it is not for the doctor to say
	}
	for _, s := range policy.Statement {
		if s.Effect == "Allow" && slices.Contains(s.Principal.Service, taskService) && slices.ContainsFunc(s.Action, func(a string) bool { return a == "sts:AssumeRole" || a == "sts:*" || a == "*" }) {
			return true
		}
	}
	return false
}

// trust is a statement of a trust policy.
type trust struct {
	Effect    string
	Principal struct{ Service many[string] }
	Action    many[string]
}

// many is a list that a policy may write as one element.
type many[T any] []T

// UnmarshalJSON reads a list or one element.
func (m *many[T]) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, (*[]T)(m)) == nil {
		return nil
	}
	var one T
	err := json.Unmarshal(text, &one)
	*m = many[T]{one}
	return err
}
