// Package outputs reads the outputs of the CloudFormation stack around ECS services.
// Any stack that has them will do.
package outputs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
)

// Outputs are the outputs of a stack.
type Outputs struct {
	// Stack is the name or the ARN by which the stack was asked for.
	Stack string
	// Region and Account are those of the stack.
	Region, Account string
	// Values are the outputs by their names.
	Values map[string]string
}

// client is the part of CloudFormation's API that is used.
type client interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
}

// Read returns the outputs of a stack, given by its name or its ARN, with one
// DescribeStacks. An error of the kind fault.Usage says that there is no such stack, or
// that it is not complete.
func Read(ctx context.Context, c client, stack string) (Outputs, error) {
	out := Outputs{Stack: stack, Values: map[string]string{}}
	answer, err := c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if absent(err) {
		return out, fault.New(fault.Usage, fmt.Errorf("stack %s does not exist in this account and region", stack),
			"deploy it, for which `slipway stack` lists templates, or name another one in x-slipway.task.stack")
	}
	if err != nil {
		return out, fault.As(fault.AWS, fmt.Errorf("CloudFormation DescribeStacks %s: %w", stack, err))
	}
	if len(answer.Stacks) != 1 {
		return out, fault.As(fault.AWS, awsclient.Incomplete("CloudFormation", "DescribeStacks", "stack "+stack))
	}
	found := answer.Stacks[0]
	if slices.Contains(unfinished, found.StackStatus) {
		return out, fault.New(fault.Usage, fmt.Errorf("stack %s is %s, and has no outputs that can be relied on", stack, found.StackStatus),
			"wait until it is CREATE_COMPLETE, or delete it and deploy it again if that failed")
	}
	// arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/ID
	if parts := strings.SplitN(aws.ToString(found.StackId), ":", 6); len(parts) == 6 {
		out.Region, out.Account = parts[3], parts[4]
	}
	for _, o := range found.Outputs {
		out.Values[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return out, nil
}

// unfinished are the states of a stack whose creation has not succeeded, or that is
// being deleted. An update keeps the outputs of before until it has succeeded.
var unfinished = []types.StackStatus{
	types.StackStatusReviewInProgress, types.StackStatusCreateInProgress, types.StackStatusCreateFailed,
	types.StackStatusRollbackInProgress, types.StackStatusRollbackFailed, types.StackStatusRollbackComplete,
	types.StackStatusDeleteInProgress, types.StackStatusDeleteFailed, types.StackStatusDeleteComplete,
}

// absent reports whether an error says that there is no such stack. DescribeStacks has
// no error of its own for it ("DescribeStacks" in the API reference).
func absent(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist")
}
