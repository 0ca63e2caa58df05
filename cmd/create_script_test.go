package cmd

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/sandbox"
)

// cluster NAME makes an ECS cluster.
func makeCluster(ts *testscript.TestScript, _ bool, args []string) {
	_, err := ecsSandboxOf(ts).ecs.CreateCluster(context.Background(), &ecs.CreateClusterInput{ClusterName: &args[0]})
	ts.Check(err)
}

// unattached ARN makes a target group to which no load balancer forwards.
func makeUnattached(ts *testscript.TestScript, _ bool, args []string) {
	sandboxOf(ts).SetTargetGroup(args[0], sandbox.TargetGroup{Unattached: true})
}

// lose ACTION lets the next call of an action of ECS do its work, and its answer be lost.
func loseAnswer(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(sandboxOf(ts).Fault(sandbox.Fault{Service: "ecs", Action: args[0], Count: 1, Error: "ServerException", CarriedOut: true}))
}

// described CLUSTER SERVICE FILE writes ECS's description of a service to a file.
func describeService(ts *testscript.TestScript, _ bool, args []string) {
	out, err := ecsSandboxOf(ts).ecs.DescribeServices(context.Background(), &ecs.DescribeServicesInput{Cluster: &args[0], Services: []string{args[1]}})
	ts.Check(err)
	text, err := json.MarshalIndent(out.Services, "", " ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), text, 0o600))
}

// delete CLUSTER SERVICE deletes a service and waits until it is INACTIVE; with -draining it
// does not wait. A service that is being deleted is waited for.
func deleteService(ts *testscript.TestScript, _ bool, args []string) {
	draining := args[0] == "-draining"
	if draining {
		args = args[1:]
	}
	force, ctx, client := true, context.Background(), ecsSandboxOf(ts).ecs
	_, err := client.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: &args[0], Service: &args[1], Force: &force})
	ts.Check(err)
	if !draining {
		soon := func(o *ecs.ServicesInactiveWaiterOptions) {
			o.MinDelay, o.MaxDelay = time.Millisecond, 100*time.Millisecond
		}
		ts.Check(ecs.NewServicesInactiveWaiter(client, soon).Wait(ctx, &ecs.DescribeServicesInput{Cluster: &args[0], Services: []string{args[1]}}, time.Minute))
	}
}
