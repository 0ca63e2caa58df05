package cmd

import (
	"testing"

	"slipway/internal/sandbox"
)

// unmadeFixture is a settingsFixture whose ECS service does not exist.
func unmadeFixture(t *testing.T) *ecsFixture {
	h := settingsFixture(t)
	h.aws.SetStack("site", sandbox.Stack{Outputs: map[string]string{
		"ExecutionRole": "arn:aws:iam::000000000000:role/execution", "TaskRole": "arn:aws:iam::000000000000:role/task", "LogGroup": "/ecs/shop",
		"Subnets": "subnet-1", "SecurityGroup": "sg-1", "Registry": "arn:aws:servicediscovery:us-east-1:000000000000:service/srv-fresh",
	}})
	h.write("compose.yaml", `name: shop
x-slipway: {ecs: {cluster: prod, service: fresh}, task: {stack: site}}
services:
  a: {build: ./a, ports: ["80:80"], secrets: [db]}
  b: {build: ./b}
  c: {build: ./c}
  d: {build: ./d}
secrets: {db: {environment: DB_PASSWORD}}
`)
	return h
}

// creationCases are those of policyCases in which an ECS service is created.
var creationCases = []policyCase{
	{"build that creates its service", "build --rollout --create-service --tags --role execution --role task", unmadeFixture, func(h *policyRun) {
		h.buildThrice("--rollout", "--create-service")
	}},
}
