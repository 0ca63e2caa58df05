package ecs

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
)

// TagDesiredCount is the tag of a stopped ECS service with the desired count
// that it had.
const TagDesiredCount = "slipway:desired-count"

type scaler interface {
	serviceUpdater
	TagResource(context.Context, *ecs.TagResourceInput, ...func(*ecs.Options)) (*ecs.TagResourceOutput, error)
	UntagResource(context.Context, *ecs.UntagResourceInput, ...func(*ecs.Options)) (*ecs.UntagResourceOutput, error)
}

// Scaled is the result of a change to a service's desired count.
type Scaled struct {
	Ref
	// From and To are the desired counts before and after; equal where nothing
	// was changed.
	From, To int
	// Remembered is the count that the service's tag has for the next start; 0
	// for none.
	Remembered int
}

// ScaleDown sets the desired count of a service to 0. It first saves the old
// count in the tag slipway:desired-count, so that a run that is killed between
// the two calls loses nothing and can be repeated. A larger count in the tag
// stays: autoscaling may have raised a stopped service to fewer tasks than it
// had. A service whose desired count is 0 is not changed.
//
// Errors: *DaemonError.
func ScaleDown(ctx context.Context, client scaler, s Service) (Scaled, error) {
	if s.Raw.SchedulingStrategy == types.SchedulingStrategyDaemon {
		return Scaled{}, &DaemonError{Ref: s.Ref}
	}
	remembered, _ := s.remembered()
	scaled := Scaled{Ref: s.Ref, From: s.Desired, Remembered: remembered}
	if s.Desired == 0 {
		return scaled, nil
	}
	scaled.Remembered = max(remembered, s.Desired)
	if scaled.Remembered != remembered {
		if err := remember(ctx, client, s, scaled.Remembered); err != nil {
			return Scaled{}, err
		}
	}
	return scaled, setCount(ctx, client, s, 0)
}

func remember(ctx context.Context, client scaler, s Service, count int) error {
	_, err := client.TagResource(ctx, &ecs.TagResourceInput{
		ResourceArn: &s.ARN, Tags: []types.Tag{{Key: aws.String(TagDesiredCount), Value: aws.String(strconv.Itoa(count))}},
	})
	if err != nil {
		return fmt.Errorf("saving the desired count of ECS service %s in its tag %s: %w", s.Ref, TagDesiredCount, err)
	}
	return nil
}

// ScaleUp sets the desired count of a service, then removes the tag with the
// saved count. A count of -1 is the saved one. If more tasks are already
// desired, as with autoscaling, that count stays. Without a saved count, a
// running service is not changed. A count of 0 keeps the tag for the next
// start. A run that is killed at any point can be repeated.
//
// Errors: *DaemonError, *CountError if no count is saved.
func ScaleUp(ctx context.Context, client scaler, s Service, count int) (Scaled, error) {
	if s.Raw.SchedulingStrategy == types.SchedulingStrategyDaemon {
		return Scaled{}, &DaemonError{Ref: s.Ref}
	}
	to, err := s.targetCount(count)
	if err != nil {
		return Scaled{}, err
	}
	if to != s.Desired {
		if err := setCount(ctx, client, s, to); err != nil {
			return Scaled{}, err
		}
	}
	if to == 0 {
		remembered, _ := s.remembered()
		return Scaled{Ref: s.Ref, From: s.Desired, Remembered: remembered}, nil
	}
	if _, tagged := s.countTag(); tagged {
		_, err := client.UntagResource(ctx, &ecs.UntagResourceInput{ResourceArn: &s.ARN, TagKeys: []string{TagDesiredCount}})
		if err != nil {
			return Scaled{}, fmt.Errorf("removing the tag %s from ECS service %s: %w", TagDesiredCount, s.Ref, err)
		}
	}
	return Scaled{Ref: s.Ref, From: s.Desired, To: to}, nil
}

// targetCount returns the desired count to start a service with.
func (s Service) targetCount(count int) (int, error) {
	if count >= 0 {
		return count, nil
	}
	value, tagged := s.countTag()
	if remembered, ok := s.remembered(); ok {
		return max(remembered, s.Desired), nil
	}
	if s.Desired > 0 {
		return s.Desired, nil
	}
	return 0, &CountError{Ref: s.Ref, Tagged: tagged, Value: value}
}

// remembered returns the count in the service's tag; false where there is none
// to use.
func (s Service) remembered() (int, bool) {
	value, _ := s.countTag()
	n, err := strconv.Atoi(value)
	return n, err == nil && n > 0
}

func (s Service) countTag() (string, bool) {
	for _, t := range s.Raw.Tags {
		if aws.ToString(t.Key) == TagDesiredCount {
			return aws.ToString(t.Value), true
		}
	}
	return "", false
}

func setCount(ctx context.Context, client serviceUpdater, s Service, count int) error {
	out, err := client.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: s.ClusterID(), Service: s.ServiceID(), DesiredCount: aws.Int32(int32(count)),
	})
	if err == nil && out.Service == nil {
		err = awsclient.Incomplete("ECS", "UpdateService", "the service")
	}
	if err != nil {
		return fmt.Errorf("setting the desired count of ECS service %s to %d: %w", s.Ref, count, err)
	}
	return nil
}

// DaemonError is the error for a service with the scheduling strategy DAEMON:
// it has a task on each container instance and no desired count.
type DaemonError struct{ Ref }

// Error names the service.
func (e *DaemonError) Error() string {
	return fmt.Sprintf("ECS service %s has the scheduling strategy DAEMON, which has no desired count", e.Ref)
}

// Kind returns fault.Usage.
func (e *DaemonError) Kind() fault.Kind { return fault.Usage }

// Hint says how to stop a daemon.
func (e *DaemonError) Hint() string {
	return "drain its container instances, or delete the service"
}

// CountError is the error for a stopped service whose earlier task count is not
// known.
type CountError struct {
	Ref
	// Tagged reports whether the service has the tag. Its Value is not a count.
	Tagged bool
	Value  string
}

// Error names the service and what its tag says.
func (e *CountError) Error() string {
	if e.Tagged {
		return fmt.Sprintf("ECS service %s: its tag %s has the value %q, which is not a task count", e.Ref, TagDesiredCount, e.Value)
	}
	return fmt.Sprintf("ECS service %s has a desired count of 0 and no tag %s with an earlier count", e.Ref, TagDesiredCount)
}

// Kind returns fault.Usage.
func (e *CountError) Kind() fault.Kind { return fault.Usage }
