// Package autoscaling is a stand-in for Application Auto Scaling, as far as ECS
// services go.
package autoscaling

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"slipway/internal/sandbox/awsapi"
)

// Targets are the scalable targets of an account in all regions. They
// are kept and described, nothing more: there are no metrics that a policy
// could act on, so that no desired count ever changes.
type Targets struct {
	account string
	clock   *awsapi.Clock

	mu      sync.Mutex
	targets map[key]*target
}

// New returns an account without scalable targets.
func New(account string, c *awsapi.Clock) *Targets {
	return &Targets{account: account, clock: c, targets: map[key]*target{}}
}

// Service returns the Application Auto Scaling API for ECS services. Names of
// fields, limits and errors are those of its API reference, version 2016-02-06.
func (s *Targets) Service() awsapi.Service {
	return awsapi.Service{
		Name:      "application-autoscaling",
		Prefix:    "AnyScaleFrontendService",
		Reference: scaledResources,
		Actions: map[string]awsapi.Action{
			"RegisterScalableTarget":   awsapi.NewAction(s.register),
			"DescribeScalableTargets":  awsapi.NewAction(s.describe),
			"DeregisterScalableTarget": awsapi.NewAction(s.deregister),
		},
	}
}

type key struct{ region, resource string }

type target struct {
	ServiceNamespace  string
	ResourceID        string `json:"ResourceId"`
	ScalableDimension string
	MinCapacity       int
	MaxCapacity       int
	RoleARN           string
	CreationTime      awsapi.Epoch
	SuspendedState    suspension
	ScalableTargetARN string
}

type suspension struct {
	DynamicScalingInSuspended  bool
	DynamicScalingOutSuspended bool
	ScheduledScalingSuspended  bool
}

// desiredCount is the only dimension of an ECS service.
const desiredCount = "ecs:service:DesiredCount"

var servicePattern = regexp.MustCompile(`^service/[a-zA-Z0-9_-]{1,255}/[a-zA-Z0-9_-]{1,255}$`)

// targetID is how requests name a target.
type targetID struct {
	ServiceNamespace  string
	ResourceID        string `json:"ResourceId"`
	ScalableDimension string
}

func (id targetID) check() error {
	switch {
	case id.ServiceNamespace != "ecs":
		return notValid("the sandbox scales the namespace ecs only, not %q", id.ServiceNamespace)
	case id.ScalableDimension != desiredCount:
		return notValid("Unsupported service namespace, resource type or scalable dimension: %q", id.ScalableDimension)
	case !servicePattern.MatchString(id.ResourceID):
		return notValid("Invalid resource ID %q: it must be service/CLUSTER/SERVICE", id.ResourceID)
	}
	return nil
}

func notValid(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("ValidationException", format, args...)
}

type registerIn struct {
	targetID
	MinCapacity, MaxCapacity *int
	RoleARN                  string
	SuspendedState           *suspension
}

type registerOut struct{ ScalableTargetARN string }

// register makes a target, or changes the fields that the request names of an
// existing one.
func (s *Targets) register(c awsapi.Call, in registerIn) (out registerOut, err error) {
	if err := in.check(); err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := key{c.Region, in.ResourceID}
	t := s.targets[key]
	if t == nil {
		if in.MinCapacity == nil || in.MaxCapacity == nil {
			return out, notValid("MinCapacity and MaxCapacity are required to register a new scalable target")
		}
		t = s.newTarget(c.Region, in.targetID)
	}
	changed := *t
	changed.MinCapacity = *cmp.Or(in.MinCapacity, &t.MinCapacity)
	changed.MaxCapacity = *cmp.Or(in.MaxCapacity, &t.MaxCapacity)
	changed.SuspendedState = *cmp.Or(in.SuspendedState, &t.SuspendedState)
	changed.RoleARN = cmp.Or(in.RoleARN, t.RoleARN)
	if changed.MinCapacity < 0 || changed.MinCapacity > changed.MaxCapacity {
		return out, notValid("MinCapacity %d must be 0 to MaxCapacity %d", changed.MinCapacity, changed.MaxCapacity)
	}
	s.targets[key] = &changed
	return registerOut{changed.ScalableTargetARN}, nil
}

func (s *Targets) newTarget(region string, id targetID) *target {
	now := s.clock.Now()
	return &target{
		ServiceNamespace:  id.ServiceNamespace,
		ResourceID:        id.ResourceID,
		ScalableDimension: id.ScalableDimension,
		RoleARN: fmt.Sprintf("arn:%s:iam::%s:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
			awsapi.Partition(region), s.account),
		CreationTime: awsapi.Epoch(now),
		ScalableTargetARN: fmt.Sprintf("arn:%s:application-autoscaling:%s:%s:scalable-target/%016x",
			awsapi.Partition(region), region, s.account, now.UnixNano()),
	}
}

type describeIn struct {
	awsapi.Paging
	ServiceNamespace  string
	ResourceIDs       []string `json:"ResourceIds"`
	ScalableDimension string
}

type describeOut struct {
	ScalableTargets []target
	NextToken       string `json:",omitempty"`
}

// maxPage is the most, and the default, of one answer.
const maxPage = 50

func (s *Targets) describe(c awsapi.Call, in describeIn) (out describeOut, err error) {
	out.ScalableTargets = []target{}
	switch {
	case in.ServiceNamespace == "":
		return out, notValid("ServiceNamespace is required")
	case in.ScalableDimension != "" && len(in.ResourceIDs) == 0:
		return out, notValid("ResourceIds are required with a ScalableDimension")
	case len(in.ResourceIDs) > maxPage:
		return out, notValid("%d ResourceIds: there must be at most %d", len(in.ResourceIDs), maxPage)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, t := range s.targets {
		if key.region == c.Region && in.matches(t) {
			out.ScalableTargets = append(out.ScalableTargets, *t)
		}
	}
	slices.SortFunc(out.ScalableTargets, func(a, b target) int { return cmp.Compare(a.ResourceID, b.ResourceID) })
	limit := maxPage
	in.MaxResults = cmp.Or(in.MaxResults, &limit)
	out.ScalableTargets, out.NextToken, err = awsapi.Page(in.Paging, limit, out.ScalableTargets, func(t target) string { return t.ResourceID })
	if err != nil {
		return out, notValid("MaxResults or NextToken: %v", err)
	}
	return out, nil
}

func (in describeIn) matches(t *target) bool {
	return t.ServiceNamespace == in.ServiceNamespace &&
		(in.ScalableDimension == "" || t.ScalableDimension == in.ScalableDimension) &&
		(len(in.ResourceIDs) == 0 || slices.Contains(in.ResourceIDs, t.ResourceID))
}

func (s *Targets) deregister(c awsapi.Call, in targetID) (out struct{}, err error) {
	if err := in.check(); err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := key{c.Region, in.ResourceID}
	if s.targets[key] == nil {
		return out, awsapi.Errorf("ObjectNotFoundException",
			"No scalable target found for service namespace: %s, resource ID: %s, scalable dimension: %s", in.ServiceNamespace, in.ResourceID, in.ScalableDimension)
	}
	delete(s.targets, key)
	return out, nil
}

// scaledResources returns the resources that a request names.
func scaledResources(body []byte) string {
	var in struct {
		ResourceID  string
		ResourceIDs []string
	}
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	return cmp.Or(in.ResourceID, strings.Join(in.ResourceIDs, ","))
}
