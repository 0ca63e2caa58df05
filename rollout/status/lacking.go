package status

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/rollout"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// lacking warns of services with fewer tasks than desired for which ECS finds no
// room. A deployment that fails has its diagnosis already.
//
// Calls: for each such service with a capacity provider of an Auto Scaling group,
// ListTasks and DescribeTasks by the hundred.
func (r *builder) lacking(ctx context.Context, c *awsclient.Clients) {
	found := make([]diagnose.Diagnosis, len(r.services.List))
	var g errgroup.Group
	g.SetLimit(rollout.MaxCalls)
	for i, st := range r.services.List {
		s := st.State
		if s.Running >= s.Desired || r.report.Services[i].Failure != nil {
			continue
		}
		g.Go(func() error {
			e := s.Evidence()
			e.Pending = follow.Follower{ECS: c.ECS()}.Pending(ctx, s)
			e.Events = lastUnplaced(s)
			found[i] = diagnose.Diagnose(e)
			return nil
		})
	}
	_ = g.Wait() // nothing in it fails
	for i, d := range found {
		if st := r.services.List[i]; d.Cause != "" {
			r.warn("%s: %d of %d tasks run: %s: `%s` shows more", st.Ref, st.State.Running, st.State.Desired, d.Cause, d.Next)
		}
	}
}

// lastUnplaced returns the event of a task that found no room, if ECS has started
// none since. The events of a service come newest first.
func lastUnplaced(s ecs.Service) []string {
	for _, event := range s.Raw.Events {
		text := aws.ToString(event.Message)
		switch {
		case diagnose.Unplaced(text):
			return []string{text}
		case strings.Contains(text, "has started") || strings.Contains(text, "has reached a steady state"):
			return nil
		}
	}
	return nil
}
