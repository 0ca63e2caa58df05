package ecs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"slipway/internal/bounded"
)

// The SDK drops the fields that it is older than, both from answers and from
// requests. What follows reads and writes the JSON of the wire itself; the SDK
// still does all the rest: endpoint, signature, retries, errors.

type definitionReader interface {
	DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error)
}

type definitionWriter interface {
	RegisterTaskDefinition(context.Context, *ecs.RegisterTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.RegisterTaskDefinitionOutput, error)
}

// ReadDefinition reads a task definition by ARN, tags included, with one call.
func ReadDefinition(ctx context.Context, client definitionReader, arn string) (Definition, error) {
	return describe(ctx, client, arn)
}

// describe reads a task definition, tags included, with one call.
func describe(ctx context.Context, client definitionReader, arn string) (Definition, error) {
	var body []byte
	_, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: &arn, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	}, keepBody(&body))
	if err != nil {
		return Definition{}, fmt.Errorf("reading task definition %s: %w", arn, err)
	}
	d, err := parseDefinition(body)
	if err != nil {
		return Definition{}, fmt.Errorf("reading task definition %s: %w", arn, err)
	}
	return d, nil
}

// register registers a definition with one call and returns the new revision's
// ARN.
func register(ctx context.Context, client definitionWriter, d Definition) (string, error) {
	payload, err := d.request()
	if err != nil {
		return "", err
	}
	// The SDK looks at these two before it writes the body that is then
	// replaced.
	out, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: &d.Family, ContainerDefinitions: []types.ContainerDefinition{},
	}, sendBody(payload))
	if err != nil {
		return "", fmt.Errorf("registering a revision of task definition %s: %w", d.Family, err)
	}
	if out.TaskDefinition == nil || out.TaskDefinition.TaskDefinitionArn == nil {
		return "", fmt.Errorf("registering a revision of task definition %s: %w", d.Family, errNoDefinition)
	}
	return aws.ToString(out.TaskDefinition.TaskDefinitionArn), nil
}

// parseDefinition reads the body of DescribeTaskDefinition's answer.
func parseDefinition(body []byte) (Definition, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // a float64 would round large numbers
	var answer struct {
		TaskDefinition map[string]any `json:"taskDefinition"`
		Tags           []any          `json:"tags"`
	}
	if err := decoder.Decode(&answer); err != nil {
		return Definition{}, fmt.Errorf("the answer is not a task definition: %w", err)
	}
	if answer.TaskDefinition == nil {
		return Definition{}, errNoDefinition
	}
	fields := answer.TaskDefinition
	return Definition{ARN: stringField(fields, "taskDefinitionArn"), Family: stringField(fields, "family"), Fields: fields, Tags: answer.Tags}, nil
}

// maxAnswer bounds an answer of ECS, in bytes. A task definition has at most 64
// KiB ("Amazon ECS service quotas" in the ECS developer guide).
const maxAnswer = 16 << 20

// keepBody returns a call's option that copies the body of the answer before
// the SDK reads it.
func keepBody(body *[]byte) func(*ecs.Options) {
	keep := func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		response, ok := out.RawResponse.(*smithyhttp.Response)
		if err != nil || !ok {
			return out, metadata, err
		}
		defer func() { _ = response.Body.Close() }() // all of it was read, or reading it failed
		*body, err = bounded.Answer(response.Body, maxAnswer)
		response.Body = io.NopCloser(bytes.NewReader(*body))
		return out, metadata, err
	}
	return with(func(stack *middleware.Stack) error {
		return stack.Deserialize.Insert(middleware.DeserializeMiddlewareFunc("KeepBody", keep), "OperationDeserializer", middleware.After)
	})
}

// sendBody returns a call's option that replaces the request's body. It does so
// directly behind the serializer: length, payload hash and signature are made
// later, of the new body.
func sendBody(payload []byte) func(*ecs.Options) {
	send := func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
		request, ok := in.Request.(*smithyhttp.Request)
		if !ok {
			return middleware.SerializeOutput{}, middleware.Metadata{}, fmt.Errorf("the SDK sends a %T, not an HTTP request", in.Request)
		}
		request, err := request.SetStream(bytes.NewReader(payload))
		if err != nil {
			return middleware.SerializeOutput{}, middleware.Metadata{}, fmt.Errorf("replacing the request's body: %w", err)
		}
		in.Request = request
		return next.HandleSerialize(ctx, in)
	}
	return with(func(stack *middleware.Stack) error {
		return stack.Serialize.Insert(middleware.SerializeMiddlewareFunc("SendBody", send), "OperationSerializer", middleware.After)
	})
}

func with(change func(*middleware.Stack) error) func(*ecs.Options) {
	return func(o *ecs.Options) { o.APIOptions = append(o.APIOptions, change) }
}
