package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"slipway/buildspec/iam"
	"slipway/internal/awsclient"
)

// roleReader finds a role's ARN by its name.
type roleReader interface {
	GetRole(context.Context, *awsiam.GetRoleInput, ...func(*awsiam.Options)) (*awsiam.GetRoleOutput, error)
}

// principalOf returns the user or role behind a caller, as IAM's simulation
// takes it. The ARN of an assumed role's session leaves out the path of the
// role, which GetRole returns. Without permission to ask, the role is taken to
// have none.
func principalOf(ctx context.Context, client roleReader, caller string) (string, error) {
	parts := strings.SplitN(caller, ":", 6)
	if len(parts) != 6 {
		return "", fmt.Errorf("%s is not an ARN", caller)
	}
	if parts[2] == "iam" {
		return caller, nil
	}
	path := strings.Split(parts[5], "/")
	if len(path) < 3 || path[0] != "assumed-role" {
		return "", errors.New("only users and roles have policies that it can judge")
	}
	out, err := client.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String(path[1])})
	var api smithy.APIError
	switch {
	case err == nil && out.Role == nil:
		return "", awsclient.Incomplete("IAM", "GetRole", "role "+path[1])
	case err == nil:
		return aws.ToString(out.Role.Arn), nil
	case errors.As(err, &api) && api.ErrorCode() == "AccessDenied":
		return "arn:" + parts[1] + ":iam::" + parts[4] + ":role/" + path[1], nil
	default:
		return "", err
	}
}

// denial is an action that may not be done on a resource.
type denial struct {
	resource string
	// why names what denies it where that is not just the lack of a policy.
	why string
}

// simulate asks IAM about every action of a policy on its resources. The answer has every
// action, with the denials of each. Policies of resources and of sessions have no part in
// it (SimulatePrincipalPolicy API reference).
func simulate(ctx context.Context, client awsiam.SimulatePrincipalPolicyAPIClient, who string, policy iam.Policy) (map[string][]denial, error) {
	var mu sync.Mutex
	out := map[string][]denial{}
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range policy.Statement {
		if placeholder(s) {
			continue
		}
		g.Go(func() error {
			in := simulationOf(who, s)
			return awsclient.EachPage("IAM SimulatePrincipalPolicy", func(marker *string) (*string, error) {
				in.Marker = marker
				page, err := client.SimulatePrincipalPolicy(ctx, in)
				if err != nil {
					return nil, err
				}
				mu.Lock()
				defer mu.Unlock()
				for _, e := range page.EvaluationResults {
					action := aws.ToString(e.EvalActionName)
					out[action] = append(out[action], denials(e)...)
				}
				return page.Marker, nil
			})
		})
	}
	if err := g.Wait(); err != nil {
		return out, err
	}
	return out, simulated(policy, out)
}

// simulated makes sure that IAM judged every action: one that is missing would be taken
// for allowed.
func simulated(policy iam.Policy, judged map[string][]denial) error {
	for _, s := range policy.Statement {
		for _, action := range s.Action {
			if _, ok := judged[action]; !ok && !placeholder(s) {
				return awsclient.Incomplete("IAM", "SimulatePrincipalPolicy", "action "+action)
			}
		}
	}
	return nil
}

// placeholder reports whether a statement is about something that is not known.
func placeholder(s iam.Statement) bool {
	return slices.ContainsFunc(s.Resource, func(r string) bool {
		return slices.ContainsFunc(iam.Placeholders(), func(word string) bool {
			return strings.Contains(r, ":"+word+":") || strings.HasSuffix(r, "/"+word) || strings.HasSuffix(r, ":"+word)
		})
	})
}

func simulationOf(who string, s iam.Statement) *awsiam.SimulatePrincipalPolicyInput {
	in := &awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(who), ActionNames: s.Action}
	if !slices.Equal(s.Resource, []string{"*"}) {
		in.ResourceArns = s.Resource
	}
	for _, keys := range s.Condition {
		for name, values := range keys {
			kind := types.ContextKeyTypeEnumString
			if len(values) > 1 {
				// One call has one value; each of them is allowed by the same statement.
				values = values[:1]
			}
			in.ContextEntries = append(in.ContextEntries, types.ContextEntry{ContextKeyName: aws.String(name), ContextKeyType: kind, ContextKeyValues: values})
		}
	}
	return in
}

// denials are those of one result, which may list its resources one by one.
func denials(e types.EvaluationResult) []denial {
	if len(e.ResourceSpecificResults) > 0 {
		var out []denial
		for _, r := range e.ResourceSpecificResults {
			if r.EvalResourceDecision != types.PolicyEvaluationDecisionTypeAllowed {
				out = append(out, denial{aws.ToString(r.EvalResourceName), reason(r.EvalResourceDecision, e)})
			}
		}
		return out
	}
	if e.EvalDecision == types.PolicyEvaluationDecisionTypeAllowed {
		return nil
	}
	return []denial{{aws.ToString(e.EvalResourceName), reason(e.EvalDecision, e)}}
}

// reason says which kind of policy denies, where it is not the lack of one that allows.
func reason(d types.PolicyEvaluationDecisionType, e types.EvaluationResult) string {
	switch {
	case e.OrganizationsDecisionDetail != nil && !e.OrganizationsDecisionDetail.AllowedByOrganizations:
		return "by a service control policy of the organization"
	case e.PermissionsBoundaryDecisionDetail != nil && !e.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary:
		return "by the permissions boundary"
	case d == types.PolicyEvaluationDecisionTypeExplicitDeny:
		return "by a policy that says Deny"
	default:
		return ""
	}
}
