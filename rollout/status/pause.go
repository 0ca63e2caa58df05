package status

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/rollout"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// Pause is the lifecycle hook at which a deployment waits.
type Pause struct {
	Hook  string `json:"hook"`
	Stage string `json:"stage"`
	// Until is when ECS takes the action Then by itself; null where it does not say.
	Until *time.Time `json:"until"`
	Then  string     `json:"then,omitempty"`
	// Continue and Abort are the commands to type.
	Continue string `json:"continue"`
	Abort    string `json:"abort"`

	// Text describes the pause.
	Text string `json:"-"`
}

// pauses adds the lifecycle hooks at which deployments wait. One that may not be read is
// reported and left out: the rest of the status is right without it.
func (r *builder) pauses(ctx context.Context, c *awsclient.Clients) {
	var g errgroup.Group
	g.SetLimit(rollout.MaxCalls)
	found := make([]*Pause, len(r.report.Services))
	errs := make([]error, len(found))
	for i, st := range r.services.List {
		g.Go(func() error {
			p, ok, err := follow.FindPause(ctx, c.ECS(), st.State)
			if errs[i] = err; ok {
				found[i] = r.newPause(st.Ref, p)
			}
			return nil
		})
	}
	_ = g.Wait() // the goroutines keep their errors in errs
	for i, p := range found {
		ref := r.services.List[i].Ref
		if errs[i] != nil {
			r.warn("%s: cannot read whether its deployment is paused: %v", ref, errs[i])
		}
		if p != nil {
			r.report.Services[i].Deployment.Paused = p
			r.warn("%s: its deployment is %s: `%s` continues it, `%s` rolls it back", ref, p.Text, p.Continue, p.Abort)
		}
	}
}

func (r *builder) newPause(ref ecs.Ref, p follow.Pause) *Pause {
	out := &Pause{
		Hook: p.Hook, Stage: string(p.Stage), Then: string(p.Then),
		Continue: r.texts.Continue(ref), Abort: r.texts.Abort(ref), Text: p.String(),
	}
	if !p.Until.IsZero() {
		out.Until = aws.Time(p.Until)
	}
	return out
}
