package sandbox

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"sync"
)

// newAutoscaling is the Application Auto Scaling API for ECS services. Names of
// fields, limits and errors are those of its API reference, version 2016-02-06.
// The targets are kept and described, nothing more: there are no metrics here
// that a policy could act on, so no desired count is ever changed.
func newAutoscaling() jsonService {
	return jsonService{
		name:   "application-autoscaling",
		prefix: "AnyScaleFrontendService",
		actions: map[string]jsonAction{
			"RegisterScalableTarget":   action(registerScalableTarget),
			"DescribeScalableTargets":  action(describeScalableTargets),
			"DeregisterScalableTarget": action(deregisterScalableTarget),
		},
	}
}

// scalableTargets are those of all regions of the default account.
type scalableTargets struct {
	mu      sync.Mutex
	targets map[scalableKey]*scalableTarget
}

type scalableKey struct{ region, resource string }

type scalableTarget struct {
	ServiceNamespace  string
	ResourceID        string `json:"ResourceId"`
	ScalableDimension string
	MinCapacity       int
	MaxCapacity       int
	RoleARN           string
	CreationTime      epoch
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

func notValid(format string, args ...any) *apiError {
	return apiErrorf("ValidationException", format, args...)
}

type registerScalableTargetIn struct {
	scalableID
	MinCapacity, MaxCapacity *int
	RoleARN                  string
	SuspendedState           *suspendedState
}

type registerScalableTargetOut struct{ ScalableTargetARN string }

// registerScalableTarget makes a target, or changes what the request names of
// one that is there.
func registerScalableTarget(c jsonCall, in registerScalableTargetIn) (out registerScalableTargetOut, err error) {
	if err := in.check(); err != nil {
		return out, err
	}
	all := &c.server.scalable
	all.mu.Lock()
	defer all.mu.Unlock()
	key := scalableKey{c.region, in.ResourceID}
	t := all.targets[key]
	if t == nil {
		if in.MinCapacity == nil || in.MaxCapacity == nil {
			return out, notValid("MinCapacity and MaxCapacity are required to register a new scalable target")
		}
		t = c.newScalableTarget(in.scalableID)
	}
	changed := *t
	changed.MinCapacity = *cmp.Or(in.MinCapacity, &t.MinCapacity)
	changed.MaxCapacity = *cmp.Or(in.MaxCapacity, &t.MaxCapacity)
	changed.SuspendedState = *cmp.Or(in.SuspendedState, &t.SuspendedState)
	changed.RoleARN = cmp.Or(in.RoleARN, t.RoleARN)
	if changed.MinCapacity < 0 || changed.MinCapacity > changed.MaxCapacity {
		return out, notValid("MinCapacity %d must be 0 to MaxCapacity %d", changed.MinCapacity, changed.MaxCapacity)
	}
	if all.targets == nil {
		all.targets = map[scalableKey]*scalableTarget{}
	}
	all.targets[key] = &changed
	return registerScalableTargetOut{changed.ScalableTargetARN}, nil
}

func (c jsonCall) newScalableTarget(id scalableID) *scalableTarget {
	now, account := c.server.clock.Now(), c.server.options.Account
	return &scalableTarget{
		ServiceNamespace:  id.ServiceNamespace,
		ResourceID:        id.ResourceID,
		ScalableDimension: id.ScalableDimension,
		RoleARN: fmt.Sprintf("arn:%s:iam::%s:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
			partition(c.region), account),
		CreationTime: epoch(now),
		ScalableTargetARN: fmt.Sprintf("arn:%s:application-autoscaling:%s:%s:scalable-target/%016x",
			partition(c.region), c.region, account, now.UnixNano()),
	}
}

type describeScalableTargetsIn struct {
	paging
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

func describeScalableTargets(c jsonCall, in describeScalableTargetsIn) (out describeScalableTargetsOut, err error) {
	out.ScalableTargets = []scalableTarget{}
	switch {
	case in.ServiceNamespace == "":
		return out, notValid("ServiceNamespace is required")
	case in.ScalableDimension != "" && len(in.ResourceIDs) == 0:
		return out, notValid("ResourceIds are required with a ScalableDimension")
	case len(in.ResourceIDs) > maxScalablePage:
		return out, notValid("%d ResourceIds: there must be at most %d", len(in.ResourceIDs), maxScalablePage)
	}
	c.server.scalable.mu.Lock()
	defer c.server.scalable.mu.Unlock()
	for key, t := range c.server.scalable.targets {
		if key.region == c.region && in.wants(t) {
			out.ScalableTargets = append(out.ScalableTargets, *t)
		}
	}
	slices.SortFunc(out.ScalableTargets, func(a, b scalableTarget) int { return cmp.Compare(a.ResourceID, b.ResourceID) })
	limit := maxScalablePage
	in.MaxResults = cmp.Or(in.MaxResults, &limit)
	out.ScalableTargets, out.NextToken, err = page(in.paging, limit, out.ScalableTargets, func(t scalableTarget) string { return t.ResourceID })
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

func deregisterScalableTarget(c jsonCall, in scalableID) (out nothing, err error) {
	if err := in.check(); err != nil {
		return out, err
	}
	c.server.scalable.mu.Lock()
	defer c.server.scalable.mu.Unlock()
	key := scalableKey{c.region, in.ResourceID}
	if c.server.scalable.targets[key] == nil {
		return out, apiErrorf("ObjectNotFoundException",
			"No scalable target found for service namespace: %s, resource ID: %s, scalable dimension: %s", in.ServiceNamespace, in.ResourceID, in.ScalableDimension)
	}
	delete(c.server.scalable.targets, key)
	return out, nil
}
