package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/spf13/cobra"
)

// madeUp are credentials, of which the sandbox takes any.
var madeUp = credentials.NewStaticCredentialsProvider("sandbox", "sandbox", "")

// endpoint is where a running sandbox is.
type endpoint struct{ addr, region string }

func (e *endpoint) flags(c *cobra.Command) {
	c.Flags().StringVar(&e.addr, "addr", "127.0.0.1:4566", "host:port that the sandbox listens on")
	c.Flags().StringVar(&e.region, "region", "us-east-1", "region to work in")
}

// clients know nothing of the machine's own configuration, so that they cannot
// reach AWS by mistake.
func (e *endpoint) clients() serviceClients {
	url := aws.String("http://" + e.addr)
	return serviceClients{
		control:    *url,
		ecr:        ecr.New(ecr.Options{Region: e.region, BaseEndpoint: url, Credentials: madeUp}),
		ecs:        ecs.New(ecs.Options{Region: e.region, BaseEndpoint: url, Credentials: madeUp}),
		logs:       cloudwatchlogs.New(cloudwatchlogs.Options{Region: e.region, BaseEndpoint: url, Credentials: madeUp}),
		codedeploy: codedeploy.New(codedeploy.Options{Region: e.region, BaseEndpoint: url, Credentials: madeUp}),
	}
}
