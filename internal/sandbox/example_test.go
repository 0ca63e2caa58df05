package sandbox_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/sandbox"
)

var static = credentials.NewStaticCredentialsProvider("key", "secret", "")

func ExampleStart() {
	ctx := context.Background()
	s, err := sandbox.Start(ctx, sandbox.Options{Account: "123456789012"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	c := ecr.New(ecr.Options{BaseEndpoint: aws.String(s.URL()), Region: "us-east-1", Credentials: static})
	out, err := c.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("shop/web")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(*out.Repository.RepositoryArn)
	for _, call := range s.Calls() {
		fmt.Println(call.Service, call.Action, call.Repository, call.Status)
	}
	// Output:
	// arn:aws:ecr:us-east-1:123456789012:repository/shop/web
	// ecr CreateRepository shop/web 200
}

func ExampleServer_RunningDigests() {
	ctx := context.Background()
	s, err := sandbox.Start(ctx, sandbox.Options{ECSSpeed: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	c := ecs.New(ecs.Options{BaseEndpoint: aws.String(s.URL()), Region: "us-east-1", Credentials: static})
	_, err = c.CreateCluster(ctx, &ecs.CreateClusterInput{})
	if err == nil {
		_, err = c.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: aws.String("web"),
			ContainerDefinitions: []types.ContainerDefinition{
				{Name: aws.String("web"), Image: aws.String("public.ecr.aws/nginx/nginx:latest"), Memory: aws.Int32(64)},
			},
		})
	}
	if err == nil {
		_, err = c.CreateService(ctx, &ecs.CreateServiceInput{
			ServiceName: aws.String("web"), TaskDefinition: aws.String("web"), DesiredCount: aws.Int32(2),
		})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	s.Advance(time.Second) // a minute and more of ECS's time
	for container, digests := range s.RunningDigests("default", "web") {
		fmt.Println(container, len(digests), digests[0] == digests[1])
	}
	// Output:
	// web 2 true
}

func ExampleServer_Fault() {
	ctx := context.Background()
	s, err := sandbox.Start(ctx, sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	if err := s.Fault(sandbox.Fault{Service: "ecr", Action: "DescribeRepositories", Count: 1, Error: "ThrottlingException"}); err != nil {
		fmt.Println(err)
		return
	}

	// The SDK tries again by itself.
	c := ecr.New(ecr.Options{BaseEndpoint: aws.String(s.URL()), Region: "us-east-1", Credentials: static})
	if _, err := c.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{}); err != nil {
		fmt.Println(err)
	}
	for _, call := range s.Calls() {
		fmt.Println(call.Action, call.Status)
	}
	// Output:
	// DescribeRepositories 400
	// DescribeRepositories 200
}
