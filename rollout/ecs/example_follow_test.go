package ecs_test

import (
	"context"
	"fmt"
	"time"

	"slipway/rollout/ecs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The example is compiled and not run, for it needs an account.
func ExampleFollower_Follow() {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	follower := ecs.Follower{
		ECS:        awsecs.NewFromConfig(cfg),
		CodeDeploy: codedeploy.NewFromConfig(cfg),
		Logs:       cloudwatchlogs.NewFromConfig(cfg),
	}
	var deployments []ecs.Deployment // what Deploy answered
	outcomes := follower.Follow(ctx, deployments, func(p ecs.Progress) {
		fmt.Printf("%s: %s\n", p.Service, p.Text)
	})
	for _, o := range outcomes {
		fmt.Println(o.Deployment.Service, o.Status, o.Reason)
		if o.Diagnosis != nil {
			for _, line := range o.Diagnosis.Lines() {
				fmt.Println(line)
			}
		}
	}
}

func ExampleDiagnose() {
	diagnosis := ecs.Diagnose(ecs.Evidence{
		Service: ecs.Service{Ref: ecs.Ref{Cluster: "shop", Service: "web"}},
		Stopped: []types.Task{{
			StopCode:      types.TaskStopCodeEssentialContainerExited,
			StoppedReason: aws.String("Essential container in task exited"),
			Containers:    []types.Container{{Name: aws.String("web"), ExitCode: aws.Int32(127)}},
			TaskArn:       aws.String("arn:aws:ecs:eu-west-1:111122223333:task/shop/0123456789abcdef"),
		}},
	})
	for _, line := range diagnosis.Lines() {
		fmt.Println(line)
	}
	// Output:
	// likely cause: container web ended with code 127, the shell's word for a command that is missing or not executable: look at command and entryPoint
	// stopped tasks:
	//   1 × essential container in task exited: web exited with 127
	// next: aws ecs describe-tasks --cluster shop --tasks arn:aws:ecs:eu-west-1:111122223333:task/shop/0123456789abcdef
}
