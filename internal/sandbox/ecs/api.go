package ecs

import (
	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/ecs/capacity"
	"slipway/internal/sandbox/ecs/express"
	"slipway/internal/sandbox/ecs/plain"
	"slipway/internal/sandbox/ecs/reference"
)

// Service returns the ECS API. Names of fields, limits and errors are those of
// its API reference, version 2014-11-13; the scheduler follows the "Amazon ECS
// Developer Guide".
func (s *Regions) Service() awsapi.Service {
	return awsapi.Service{
		Name:      "ecs",
		Prefix:    "AmazonEC2ContainerServiceV20141113",
		Reference: reference.Of,
		Actions: s.withoutNewFields(capacity.Actions(s.options.Account, express.Actions(map[string]awsapi.Action{
			"CreateCluster":               action(s, createCluster),
			"DescribeClusters":            action(s, describeClusters),
			"ListClusters":                action(s, listClusters),
			"DeleteCluster":               action(s, deleteCluster),
			"RegisterTaskDefinition":      action(s, registerTaskDefinition),
			"DescribeTaskDefinition":      action(s, describeTaskDefinition),
			"ListTaskDefinitions":         action(s, listTaskDefinitions),
			"DeregisterTaskDefinition":    action(s, deregisterTaskDefinition),
			"CreateService":               action(s, createService),
			"UpdateService":               action(s, updateService),
			"DescribeServices":            action(s, describeServices),
			"ListServices":                action(s, listServices),
			"DeleteService":               action(s, deleteService),
			"ListTasks":                   action(s, listTasks),
			"DescribeTasks":               action(s, describeTasks),
			"RunTask":                     action(s, runTask),
			"StopTask":                    action(s, stopTask),
			"UpdateTaskProtection":        action(s, updateTaskProtection),
			"GetTaskProtection":           action(s, getTaskProtection),
			"ListServiceDeployments":      action(s, listServiceDeployments),
			"DescribeServiceDeployments":  action(s, describeServiceDeployments),
			"DescribeServiceRevisions":    action(s, describeServiceRevisions),
			"StopServiceDeployment":       action(s, stopServiceDeployment),
			"ContinueServiceDeployment":   action(s, continueServiceDeployment),
			"CreateTaskSet":               action(s, createTaskSet),
			"DescribeTaskSets":            action(s, describeTaskSets),
			"UpdateTaskSet":               action(s, updateTaskSet),
			"UpdateServicePrimaryTaskSet": action(s, updateServicePrimaryTaskSet),
			"DeleteTaskSet":               action(s, deleteTaskSet),
			"TagResource":                 action(s, tagResource),
			"UntagResource":               action(s, untagResource),
			"ListTagsForResource":         action(s, listTagsForResource),
		}))),
	}
}

// withoutNewFields returns actions that heed the quirk NoNewFields.
func (s *Regions) withoutNewFields(actions map[string]awsapi.Action) map[string]awsapi.Action {
	for name, do := range actions {
		actions[name] = plain.When(func() bool { _, q := s.Settings(); return q.NoNewFields }, do)
	}
	return actions
}

// action returns an action that calls f with the ECS of the request's region,
// locked and brought up to the clock.
func action[In, Out any](s *Regions, f func(*region, In) (Out, error)) awsapi.Action {
	return awsapi.NewAction(func(c awsapi.Call, in In) (out Out, err error) {
		e, err := s.at(c.Region)
		if err != nil {
			return out, err
		}
		err = e.do(func() error {
			out, err = f(e, in)
			return err
		})
		return out, err
	})
}
