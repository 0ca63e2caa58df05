// Package ecs deploys images to Amazon ECS services. It reads the services,
// decides what each needs, registers task definitions, starts deployments with
// ECS or CodeDeploy, and sets desired counts. Package follow follows the
// deployments.
package ecs

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Ref names an ECS service. It is comparable and serves as a map key.
type Ref struct {
	// Cluster is the cluster's name or ARN; empty is the cluster called
	// default.
	Cluster string
	// Service is the service's name or ARN.
	Service string
}

// String returns cluster/service, or the service alone in the default cluster.
func (r Ref) String() string {
	if r.Cluster == "" || r.Cluster == "default" {
		return r.Service
	}
	return r.Cluster + "/" + r.Service
}

// Service is an ECS service as it was read.
type Service struct {
	Ref
	// ARN is the service's own.
	ARN string
	// Controller decides who deploys: ECS, CODE_DEPLOY or EXTERNAL.
	Controller types.DeploymentControllerType
	// Strategy is how ECS deploys: ROLLING (also where ECS names none),
	// BLUE_GREEN, LINEAR or CANARY.
	Strategy types.DeploymentStrategy
	// Wait is the time that the strategy itself lets pass before a deployment
	// ends: bake times and steps. 0 for ROLLING.
	Wait time.Duration
	// Desired, Running and Pending count tasks.
	Desired, Running, Pending int
	// Definition is the task definition that the service will run now.
	Definition Definition
	// Settings are the settings to deploy, nil for the running ones.
	Settings *Settings
	// New is the creation of a service that does not exist; nil for one that does.
	New *Creation
	// Containers are those of Definition, in its order.
	Containers []Container
	// Deployments are the latest service deployments, newest first; those of
	// CODE_DEPLOY services are in CodeDeploy and not listed.
	Deployments []ServiceDeployment
	// Unread is why Deployments has only the primary deployment, as
	// DescribeServices describes it, or why digests of revisions are not
	// known: a missing permission. It is nil where all was read.
	Unread error
	// Raw is ECS's description.
	Raw types.Service
}

// UnderWay returns the newest deployment if it has not ended yet, nil
// otherwise.
func (s Service) UnderWay() *ServiceDeployment {
	if len(s.Deployments) > 0 && !s.Deployments[0].Ended() {
		return &s.Deployments[0]
	}
	return nil
}

// Stalled reports whether the service starts no tasks until it is deployed
// again: its primary deployment has failed and was not rolled back, as after a
// circuit breaker without rollback. Tasks of the deployment before go on, and
// one that is lost is not replaced.
func (s Service) Stalled() bool {
	p := PrimaryDeployment(s.Raw)
	return p != nil && p.RolloutState == types.DeploymentRolloutStateFailed && s.UnderWay() == nil
}

// ResetsBreaker reports whether a healthy task resets the failures that the
// circuit breaker has counted, so that it may never end a deployment whose
// tasks become healthy and crash. That is the default (API reference,
// DeploymentCircuitBreaker).
func ResetsBreaker(c *types.DeploymentConfiguration) bool {
	b := c.DeploymentCircuitBreaker
	return b != nil && b.Enable && (b.ResetOnHealthyTask == nil || *b.ResetOnHealthyTask)
}

// Settling reports whether tasks of a container that run other images are being
// stopped: the last deployment was SUCCESSFUL and its tasks run, and ECS still
// lists an earlier one, whose tasks it stops.
func (s Service) Settling(c Container) bool {
	return len(s.Deployments) > 0 && s.Deployments[0].Status == types.ServiceDeploymentStatusSuccessful &&
		len(s.Raw.Deployments) > 1 && c.Running[c.Resolved] > 0
}

// Container is a container of a service's task definition.
type Container struct {
	// Name is the container's in the task definition.
	Name string
	// Image is the reference in the task definition.
	Image string
	// Resolved is the digest that the service's present revision gives to every
	// task; empty where ECS resolved none.
	Resolved string
	// Running counts running tasks by the digest that they run; with
	// CODE_DEPLOY those of the task set that serves only.
	Running map[string]int
}

// ServiceDeployment is a service deployment, ended or under way.
type ServiceDeployment struct {
	ARN string
	// Status is ECS's: SUCCESSFUL, IN_PROGRESS, ROLLBACK_SUCCESSFUL …
	Status types.ServiceDeploymentStatus
	// Reason is ECS's reason for the status.
	Reason string
	// Created and Finished are ECS's times; Finished is zero for one under way.
	Created, Finished time.Time
	// Revision is the ARN of the service revision that it deploys.
	Revision string
	// Digests are the images that the revision resolved to, by container, and
	// TaskDefinition is the ARN of its task definition; nil and empty unless they
	// were read.
	Digests        map[string]string
	TaskDefinition string
}

// Ended reports whether the deployment has ended.
func (p ServiceDeployment) Ended() bool {
	switch p.Status {
	case types.ServiceDeploymentStatusSuccessful, types.ServiceDeploymentStatusStopped,
		types.ServiceDeploymentStatusRollbackSuccessful, types.ServiceDeploymentStatusRollbackFailed:
		return true
	default:
		return false
	}
}

// DesiredImage is the image that a container is to run.
type DesiredImage struct {
	// Image is the reference for a task definition that must name the image.
	Image string
	// Digests are those that count as this image: its own first, then those of
	// an index's platforms, since tasks may report either. It is empty for an
	// image of a registry that was not read: then only the reference is
	// compared.
	Digests []string
}

// hasDigests reports whether the digests of tasks can be compared with the
// image's.
func (w DesiredImage) hasDigests() bool { return len(w.Digests) > 0 }

// Has reports whether a digest is one of the image's.
func (w DesiredImage) Has(digest string) bool {
	for _, d := range w.Digests {
		if d == digest {
			return true
		}
	}
	return false
}

// Deployment is a deployment that Slipway has started or resumed.
type Deployment struct {
	// Service is the service as it was before.
	Service Service
	// ID is ECS's id (ecs-svc/…), or CodeDeploy's (d-…).
	ID string
	// ARN is the service deployment's; empty until ECS shows it, and with
	// CodeDeploy.
	ARN string
	// Created is when ECS created the deployment; zero with CodeDeploy, which
	// does not report it.
	Created time.Time
	// TaskDefinition is the ARN of the task definition that it deploys.
	TaskDefinition string
	// Wants are the images that its tasks must run in the end, by container,
	// with their digests. Other containers may run any image.
	Wants map[string]DesiredImage
	// Wait is the time that the deployment itself waits before it succeeds:
	// Service.Wait, or with CodeDeploy the time of its traffic steps, as far as
	// it can be read. A time limit should be longer.
	Wait time.Duration
}
