package sandbox_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

func TestStacks(t *testing.T) {
	t.Parallel()
	s := testkit.StartSandbox(t, sandbox.Options{})
	client := cloudformation.NewFromConfig(testkit.AWSConfig(s.URL()))
	s.SetStack("shop", sandbox.Stack{Outputs: map[string]string{"LogGroup": "/ecs/shop", "Subnets": "subnet-1,subnet-2"}})
	s.SetStack("network", sandbox.Stack{Status: "UPDATE_COMPLETE"})

	out, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("shop")})
	if err != nil || len(out.Stacks) != 1 {
		t.Fatalf("DescribeStacks(shop) = %+v, %v, want one stack", out, err)
	}
	got := out.Stacks[0]
	if len(got.Outputs) != 2 || *got.Outputs[1].OutputKey != "Subnets" || *got.Outputs[1].OutputValue != "subnet-1,subnet-2" ||
		got.StackStatus != types.StackStatusCreateComplete || got.CreationTime.IsZero() {
		t.Errorf("the stack is %+v", got)
	}
	if byARN, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: got.StackId}); err != nil || *byARN.Stacks[0].StackName != "shop" {
		t.Errorf("DescribeStacks(%s) = %+v, %v, want shop", *got.StackId, byARN, err)
	}
	if all, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{}); err != nil || len(all.Stacks) != 2 {
		t.Errorf("DescribeStacks() = %+v, %v, want both", all, err)
	}
	_, err = client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("none")})
	wantCode(t, err, "ValidationError")
	elsewhere := testkit.AWSConfig(s.URL())
	elsewhere.Region = "eu-west-1"
	_, err = cloudformation.NewFromConfig(elsewhere).DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("shop")})
	wantCode(t, err, "ValidationError")
	_, err = client.CancelUpdateStack(t.Context(), &cloudformation.CancelUpdateStackInput{StackName: aws.String("shop")})
	wantCode(t, err, "InvalidAction")
	s.Deny("cloudformation:*")
	_, err = client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{})
	wantCode(t, err, "AccessDenied")
	if call := s.Calls()[0]; call.Service != "cloudformation" || call.Action != "DescribeStacks" || call.Reference != "shop" {
		t.Errorf("the first call is %+v, want that for shop", call)
	}
}

func TestStackControl(t *testing.T) {
	t.Parallel()
	s := testkit.StartSandbox(t, sandbox.Options{})
	post := func(query string) (int, string) {
		t.Helper()
		out, err := http.Post(s.URL()+"/_sandbox/stack?"+query, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Body.Close()
		text, _ := io.ReadAll(out.Body)
		return out.StatusCode, string(text)
	}
	if status, text := post("name=shop&status=CREATE_FAILED&output=" + url.QueryEscape("Url=http://shop/?a=b")); status != http.StatusNoContent {
		t.Fatalf("planting a stack: status %d: %s", status, text)
	}
	client := cloudformation.NewFromConfig(testkit.AWSConfig(s.URL()))
	out, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("shop")})
	if err != nil || *out.Stacks[0].Outputs[0].OutputValue != "http://shop/?a=b" || out.Stacks[0].StackStatus != types.StackStatusCreateFailed {
		t.Errorf("the stack is %+v, %v", out, err)
	}
	for query, want := range map[string]string{"": "name must be", "name=shop&output=Url": "NAME=VALUE"} {
		if status, text := post(query); status != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("POST %q = %d: %s, want %s", query, status, text, want)
		}
	}
}
