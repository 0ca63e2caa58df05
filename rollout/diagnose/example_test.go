package diagnose_test

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/diagnose"
)

func ExampleDiagnose() {
	diagnosis := diagnose.Diagnose(diagnose.Evidence{
		Cluster: "shop", Service: "web",
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
	fmt.Println("next:", diagnosis.Next)
	// Output:
	// likely cause: container web ended with code 127, which a shell returns for a command that is missing or not executable: check command and entryPoint
	// stopped tasks:
	//   1 × essential container in task exited: web exited with 127
	// next: aws ecs describe-tasks --cluster shop --tasks arn:aws:ecs:eu-west-1:111122223333:task/shop/0123456789abcdef
}
