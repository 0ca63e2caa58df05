package sandbox_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"slipway/internal/sandbox"
)

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
