package follow_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"

	"slipway/rollout/ecs"
	"slipway/rollout/follow"
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
	follower := follow.Follower{
		ECS:        awsecs.NewFromConfig(cfg),
		CodeDeploy: codedeploy.NewFromConfig(cfg),
		Logs:       cloudwatchlogs.NewFromConfig(cfg),
	}
	var deployments []ecs.Deployment // what Deploy answered
	outcomes := follower.Follow(ctx, deployments, func(p follow.Progress) {
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
