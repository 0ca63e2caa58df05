package sandbox

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

// scalableTargets are the scalable targets of an account in all regions. They
// are kept and described, nothing more: there are no metrics that a policy
// could act on, so that no desired count ever changes.
type scalableTargets struct {
	account string
	clock   *awsapi.Clock

	mu      sync.Mutex
	targets map[scalableKey]*scalableTarget
}

func newScalableTargets(account string, c *awsapi.Clock) *scalableTargets {
	return &scalableTargets{account: account, clock: c, targets: map[scalableKey]*scalableTarget{}}
}

// service returns the Application Auto Scaling API for ECS services. Names of
// fields, limits and errors are those of its API reference, version 2016-02-06.
func (s *scalableTargets) service() awsapi.Service {
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

type scalableKey struct{ region, resource string }

type scalableTarget struct {
	ServiceNamespace  string
	ResourceID        string `json:"ResourceId"`
	ScalableDimension string
	MinCapacity       int
	MaxCapacity       int
	RoleARN           string
	CreationTime      awsapi.Epoch
	SuspendedState    suspendedState
	ScalableTargetARN string
}

type suspendedState struct {
	DynamicScalingInSuspended  bool
	DynamicScalingOutSuspended bool
	ScheduledScalingSuspended  bool
}

// desiredCount is the only dimension of an ECS service.
const desiredCount = "ecs:service:DesiredCount"

var scalableServicePattern = regexp.MustCompile(`^service/[a-zA-Z0-9_-]{1,255}/[a-zA-Z0-9_-]{1,255}$`)

// scalableID is how requests name a target.
type scalableID struct {
	ServiceNamespace  string
	ResourceID        string `json:"ResourceId"`
	ScalableDimension string
}

func (id scalableID) check() error {
	switch {
	case id.ServiceNamespace != "ecs":
		return notValid("the sandbox scales the namespace ecs only, not %q", id.ServiceNamespace)
	case id.ScalableDimension != desiredCount:
		return notValid("Unsupported service namespace, resource type or scalable dimension: %q", id.ScalableDimension)
	case !scalableServicePattern.MatchString(id.ResourceID):
		return notValid("Invalid resource ID %q: it must be service/CLUSTER/SERVICE", id.ResourceID)
	}
	return nil
}

func notValid(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("ValidationException", format, args...)
}

type registerScalableTargetIn struct {
	scalableID
	MinCapacity, MaxCapacity *int
	RoleARN                  string
	SuspendedState           *suspendedState
}

type registerScalableTargetOut struct{ ScalableTargetARN string }

// register makes a target, or changes the fields that the request names of an
// existing one.
func (s *scalableTargets) register(c awsapi.Call, in registerScalableTargetIn) (out registerScalableTargetOut, err error) {
	if err := in.check(); err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := scalableKey{c.Region, in.ResourceID}
	t := s.targets[key]
	if t == nil {
		if in.MinCapacity == nil || in.MaxCapacity == nil {
			return out, notValid("MinCapacity and MaxCapacity are required to register a new scalable target")
		}
		t = s.newTarget(c.Region, in.scalableID)
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
	return registerScalableTargetOut{changed.ScalableTargetARN}, nil
}

func (s *scalableTargets) newTarget(region string, id scalableID) *scalableTarget {
	now := s.clock.Now()
	return &scalableTarget{
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

type describeScalableTargetsIn struct {
	awsapi.Paging
	ServiceNamespace  string
	ResourceIDs       []string `json:"ResourceIds"`
	ScalableDimension string
}

type describeScalableTargetsOut struct {
	ScalableTargets []scalableTarget
	NextToken       string `json:",omitempty"`
}

// maxScalablePage is the most, and the default, of one answer.
const maxScalablePage = 50

func (s *scalableTargets) describe(c awsapi.Call, in describeScalableTargetsIn) (out describeScalableTargetsOut, err error) {
	out.ScalableTargets = []scalableTarget{}
	switch {
	case in.ServiceNamespace == "":
		return out, notValid("ServiceNamespace is required")
	case in.ScalableDimension != "" && len(in.ResourceIDs) == 0:
		return out, notValid("ResourceIds are required with a ScalableDimension")
	case len(in.ResourceIDs) > maxScalablePage:
		return out, notValid("%d ResourceIds: there must be at most %d", len(in.ResourceIDs), maxScalablePage)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, t := range s.targets {
		if key.region == c.Region && in.wants(t) {
			out.ScalableTargets = append(out.ScalableTargets, *t)
		}
	}
	slices.SortFunc(out.ScalableTargets, func(a, b scalableTarget) int { return cmp.Compare(a.ResourceID, b.ResourceID) })
	limit := maxScalablePage
	in.MaxResults = cmp.Or(in.MaxResults, &limit)
	out.ScalableTargets, out.NextToken, err = awsapi.Page(in.Paging, limit, out.ScalableTargets, func(t scalableTarget) string { return t.ResourceID })
	if err != nil {
		return out, notValid("MaxResults or NextToken: %v", err)
	}
	return out, nil
}

func (in describeScalableTargetsIn) wants(t *scalableTarget) bool {
	return t.ServiceNamespace == in.ServiceNamespace &&
		(in.ScalableDimension == "" || t.ScalableDimension == in.ScalableDimension) &&
		(len(in.ResourceIDs) == 0 || slices.Contains(in.ResourceIDs, t.ResourceID))
}

func (s *scalableTargets) deregister(c awsapi.Call, in scalableID) (out struct{}, err error) {
	if err := in.check(); err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := scalableKey{c.Region, in.ResourceID}
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
