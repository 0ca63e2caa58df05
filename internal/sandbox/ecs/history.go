package ecs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/internal/sandbox/awsapi"
)

type listServiceDeploymentsIn struct {
	awsapi.Paging
	Cluster   string   `json:"cluster"`
	Service   string   `json:"service"`
	Status    []string `json:"status"`
	CreatedAt struct {
		After  *float64 `json:"after"`
		Before *float64 `json:"before"`
	} `json:"createdAt"`
}

type listServiceDeploymentsOut struct {
	ServiceDeployments []object `json:"serviceDeployments"`
	NextToken          string   `json:"nextToken,omitempty"`
}

// historyKept is the time for which ECS shows service deployments.
const historyKept = 90 * 24 * time.Hour

// listServiceDeployments returns the newest first, by default twenty a page.
func listServiceDeployments(e *region, in listServiceDeploymentsIn) (listServiceDeploymentsOut, error) {
	out := listServiceDeploymentsOut{ServiceDeployments: []object{}}
	s, err := e.service(in.Cluster, in.Service)
	if err != nil {
		return out, err
	}
	if s.controller() != "ECS" {
		return out, unsupportedController
	}
	var found []*serviceDeployment
	for _, sd := range slices.Backward(s.history) {
		if sd.visible <= e.timeline.Now() && e.keeps(sd) && in.matches(sd) {
			found = append(found, sd)
		}
	}
	size := 20
	in.MaxResults = cmp.Or(in.MaxResults, &size)
	newest := func(sd *serviceDeployment) string { return fmt.Sprintf("%09d", 999999999-sd.order) }
	found, out.NextToken, err = awsapi.Page(in.Paging, 100, found, newest)
	for _, sd := range found {
		brief := object{
			"serviceDeploymentArn": sd.arn, "serviceArn": s.arn, "clusterArn": s.cluster.arn, "status": sd.status,
			"createdAt": awsapi.Stamp(sd.created), "targetServiceRevisionArn": sd.target.revision.arn,
		}
		sd.times(brief)
		delete(brief, "stoppedAt") // is not in a ServiceDeploymentBrief
		out.ServiceDeployments = append(out.ServiceDeployments, brief)
	}
	return out, err
}

// unsupportedController is the error for services with another deployment
// controller: service deployments are those of ECS itself.
var unsupportedController = awsapi.NewError("UnsupportedFeatureException",
	"Service deployments are only supported for services that use the ECS deployment controller.")

func (in listServiceDeploymentsIn) matches(sd *serviceDeployment) bool {
	at := float64(sd.created.UnixMilli()) / 1000
	return (len(in.Status) == 0 || slices.Contains(in.Status, sd.status)) &&
		(in.CreatedAt.After == nil || at >= *in.CreatedAt.After) &&
		(in.CreatedAt.Before == nil || at <= *in.CreatedAt.Before)
}

func (e *region) keeps(sd *serviceDeployment) bool { return e.now().Sub(sd.created) < historyKept }

// serviceDeployment returns a service deployment by ARN, nil if there is none.
func (e *region) serviceDeployment(arn string) *serviceDeployment {
	for _, s := range e.services() {
		for _, sd := range s.history {
			if sd.arn == arn && e.keeps(sd) {
				return sd
			}
		}
	}
	return nil
}

type describeServiceDeploymentsIn struct {
	Arns []string `json:"serviceDeploymentArns"`
}

type describeServiceDeploymentsOut struct {
	ServiceDeployments []object  `json:"serviceDeployments"`
	Failures           []failure `json:"failures"`
}

// atMost20 checks the limit of both describing actions.
func atMost20(arns []string, kind string) error {
	if len(arns) < 1 || len(arns) > 20 {
		return parameterError("The number of service %s ARNs must be between 1 and 20.", kind)
	}
	for _, arn := range arns {
		if !strings.HasPrefix(arn, "arn:") {
			return parameterError("Invalid service %s ARN: %s", kind, arn)
		}
	}
	return nil
}

func describeServiceDeployments(e *region, in describeServiceDeploymentsIn) (describeServiceDeploymentsOut, error) {
	out := describeServiceDeploymentsOut{ServiceDeployments: []object{}, Failures: []failure{}}
	if err := atMost20(in.Arns, "deployment"); err != nil {
		return out, err
	}
	for _, arn := range in.Arns {
		if sd := e.serviceDeployment(arn); sd != nil {
			out.ServiceDeployments = append(out.ServiceDeployments, e.describeServiceDeployment(sd))
		} else {
			out.Failures = append(out.Failures, failure{arn, "MISSING"})
		}
	}
	return out, nil
}

type describeServiceRevisionsIn struct {
	Arns []string `json:"serviceRevisionArns"`
}

type describeServiceRevisionsOut struct {
	ServiceRevisions []object  `json:"serviceRevisions"`
	Failures         []failure `json:"failures"`
}

func describeServiceRevisions(e *region, in describeServiceRevisionsIn) (describeServiceRevisionsOut, error) {
	out := describeServiceRevisionsOut{ServiceRevisions: []object{}, Failures: []failure{}}
	if err := atMost20(in.Arns, "revision"); err != nil {
		return out, err
	}
	for _, arn := range in.Arns {
		if s, r := e.revision(arn); r != nil {
			out.ServiceRevisions = append(out.ServiceRevisions, e.describeRevision(s, r))
		} else {
			out.Failures = append(out.Failures, failure{arn, "MISSING"})
		}
	}
	return out, nil
}

func (e *region) revision(arn string) (*service, *serviceRevision) {
	for _, s := range e.services() {
		for _, sd := range s.history {
			if sd.target.revision.arn == arn {
				return s, sd.target.revision
			}
		}
	}
	return nil, nil
}

type stopServiceDeploymentIn struct {
	Arn      string `json:"serviceDeploymentArn"`
	StopType string `json:"stopType"`
}

type stopServiceDeploymentOut struct {
	Arn string `json:"serviceDeploymentArn"`
}

// stopServiceDeployment rolls back. A deployment that is PENDING or IN_PROGRESS
// becomes ROLLBACK_REQUESTED; one that is already being stopped or rolled back
// does not change (guide, "Stopping Amazon ECS service deployments").
func stopServiceDeployment(e *region, in stopServiceDeploymentIn) (out stopServiceDeploymentOut, err error) {
	sd := e.serviceDeployment(in.Arn)
	switch {
	case in.StopType != "" && in.StopType != "ROLLBACK":
		return out, parameterError("The stop type must be ROLLBACK.")
	case sd == nil:
		return out, awsapi.NewError("ServiceDeploymentNotFoundException", "Service deployment not found.")
	case !sd.underWay():
		return out, awsapi.NewError("ConflictException",
			"The service deployment has ended: its status is "+sd.status+".")
	}
	out.Arn = sd.arn
	if sd.status == "PENDING" || sd.status == "IN_PROGRESS" {
		sd.status, sd.updated = "ROLLBACK_REQUESTED", e.now()
		e.after(timeRequested, func() { e.rollBackStopped(sd) })
	}
	return out, nil
}

// timeRequested is the time before a requested rollback begins.
const timeRequested = time.Second

func (e *region) rollBackStopped(sd *serviceDeployment) {
	if sd.status != "ROLLBACK_REQUESTED" {
		return
	}
	e.fail(sd.target, "ECS deployment "+sd.target.id+" was stopped by a user.")
	e.rollBack(sd, "Service deployment rolled back because of a user request.")
}
