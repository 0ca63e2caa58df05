package cmd

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/rogpeppe/go-internal/testscript"
)

// What Terraform, CloudFormation and people do to services.

// desired CLUSTER SERVICE N sets a desired count as others do.
func setDesired(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[2], 10, 32)
	ts.Check(err)
	_, err = ecsSandboxOf(ts).ecs.UpdateService(context.Background(), &ecs.UpdateServiceInput{
		Cluster: &args[0], Service: &args[1], DesiredCount: aws.Int32(int32(n)),
	})
	ts.Check(err)
}

// redeploy CLUSTER SERVICE FAMILY[:REVISION] deploys a task definition as others do; the
// newest one of the family without a revision.
func redeploy(ts *testscript.TestScript, _ bool, args []string) {
	_, err := ecsSandboxOf(ts).ecs.UpdateService(context.Background(), &ecs.UpdateServiceInput{
		Cluster: &args[0], Service: &args[1], TaskDefinition: &args[2],
	})
	ts.Check(err)
	advance(ts, false, []string{"10m"})
}

// define FAMILY CONTAINER=IMAGE... registers a revision of a task definition.
func define(ts *testscript.TestScript, _ bool, args []string) {
	s := ecsSandboxOf(ts)
	_, err := s.ecs.RegisterTaskDefinition(context.Background(), s.definition(ecsServiceFixture{service: args[0], containers: args[1:]}))
	ts.Check(err)
}

// deregister FAMILY:REVISION... deregisters task definitions.
func deregister(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		_, err := ecsSandboxOf(ts).ecs.DeregisterTaskDefinition(context.Background(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &name})
		ts.Check(err)
	}
}
