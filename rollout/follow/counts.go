package follow

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/ecs"
)

// AwaitCounts waits until every service runs as many tasks as are desired and
// none is pending, and reports each change of a service's counts, never two at
// once. It takes one call for ten services of a cluster each time, the pauses
// of poll between. When it ends before, the error is ctx's with the services
// that were not there yet.
func AwaitCounts(ctx context.Context, client servicesAPI, refs []ecs.Ref, poll Pauses, report func(Progress)) error {
	if report == nil {
		report = func(Progress) {}
	}
	told := map[ecs.Ref]Progress{}
	for pause := poll.first(); ; pause = poll.next(pause) {
		described, err := ecs.DescribeServices(ctx, client, refs)
		if err != nil {
			return err
		}
		var waiting []ecs.Ref
		for _, ref := range refs {
			p := countsOf(ref, described[ref])
			if told[ref] != p {
				told[ref] = p
				report(p)
			}
			if p.Running != p.Desired || p.Pending != 0 {
				waiting = append(waiting, ref)
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		if !sleep(ctx, pause) {
			return fmt.Errorf("waiting for the task counts of %v: %w", waiting, ctx.Err())
		}
	}
}

func countsOf(ref ecs.Ref, s types.Service) Progress {
	p := Progress{Service: ref, Kind: Counts, Running: int(s.RunningCount), Pending: int(s.PendingCount), Desired: int(s.DesiredCount)}
	p.Text = fmt.Sprintf("%d of %d running, %d pending", p.Running, p.Desired, p.Pending)
	return p
}
