package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/plain"
	"slipway/rollout"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// scaleOptions are the flags of `slipway stop` and `slipway start`.
type scaleOptions struct {
	siteOptions
	timeout time.Duration
	noWait  bool
	// count is the desired count to start with; -1 is the remembered one.
	count int
	up    bool
}

func newStopCommand(w *cli) *cobra.Command {
	var o scaleOptions
	c := &cobra.Command{
		Use:   "stop",
		Short: "Let the ECS services run no tasks, remembering how many they had",
		Long: `Sets the desired count of the project's ECS services to 0 and waits until no task runs.
The old count is kept in the service's tag ` + ecs.TagDesiredCount + ` for "slipway start". Stopping
what is stopped changes nothing.

Where autoscaling would raise the count again, a warning says so.`,
		Example: "  slipway stop\n  slipway stop --cluster shop --ecs-service shop",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runScale(c.Context(), w, o) },
	}
	o.flags(c)
	return c
}

func newStartCommand(w *cli) *cobra.Command {
	o := scaleOptions{up: true}
	c := &cobra.Command{
		Use:   "start",
		Short: "Let stopped ECS services run as many tasks as before",
		Long: `Sets the desired count of the project's ECS services to the count that "slipway stop"
stored, or to --count, and waits until as many tasks run. A service that runs is not
changed.`,
		Example: "  slipway start\n  slipway start --count 2",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runScale(c.Context(), w, o) },
	}
	o.flags(c)
	c.Flags().IntVar(&o.count, "count", -1, "how many `tasks` to start (default: the remembered count)")
	return c
}

func (o *scaleOptions) flags(c *cobra.Command) {
	f := c.Flags()
	o.siteOptions.flags(f)
	o.project.onlyTrusted(f)
	f.DurationVar(&o.timeout, "timeout", rollout.DefaultTimeout, "how long to wait")
	f.BoolVar(&o.noWait, "no-wait", false, "do not wait")
}

func (o scaleOptions) check() error {
	if o.up && o.count < -1 {
		return fault.New(fault.Usage, fmt.Errorf("--count: want 0 or more, have %d", o.count), "leave the flag out for the remembered count")
	}
	if o.timeout <= 0 {
		return fault.New(fault.Usage, fmt.Errorf("--timeout: want a positive duration, have %s", o.timeout), "leave the flag out for 15m")
	}
	return o.siteOptions.check()
}

func (o scaleOptions) name() string {
	if o.up {
		return "start"
	}
	return "stop"
}

// scaled is one element of the array that stop and start print as JSON.
type scaled struct {
	Cluster string `json:"cluster,omitempty"`
	Service string `json:"service"`
	From    int    `json:"from"`
	To      int    `json:"to"`
	// Remembered is the count that the service's tag keeps; 0 for none.
	Remembered int `json:"remembered"`
}

func runScale(ctx context.Context, w *cli, o scaleOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := refuseUntrusted(w, o.project.Trust, o.name()); err != nil {
		return err
	}
	s, cloud, services, err := openServices(ctx, w, o.siteOptions)
	if err != nil {
		return err
	}
	o.warnOfScaling(ctx, w, cloud, s.Refs())
	rows, err := o.scale(ctx, cloud, services)
	if err == nil && !o.noWait {
		err = o.await(ctx, w, cloud, s.Refs())
	}
	return errors.Join(err, o.print(w, rows))
}

// warnOfScaling tells of services that autoscaling would not leave alone. That it may
// not be asked is no reason not to stop a service.
func (o scaleOptions) warnOfScaling(ctx context.Context, w *cli, c *awsclient.Clients, refs []ecs.Ref) {
	ranges, err := ecs.Autoscaled(ctx, c.Scaling(), refs)
	if err != nil {
		w.Warnf("whether autoscaling would change the counts cannot be read: %v", err)
		return
	}
	for _, ref := range refs {
		r, ok := ranges[ref]
		switch {
		case !ok || r.Suspended:
		case !o.up && r.Min > 0:
			w.Warnf("%s: autoscaling keeps it at %d to %d tasks and may start them again (aws application-autoscaling register-scalable-target with --suspended-state, or a minimum of 0, keeps it stopped)", ref, r.Min, r.Max)
		case o.up && o.count > r.Max:
			w.Warnf("%s: autoscaling keeps it at %d to %d tasks, not %d", ref, r.Min, r.Max, o.count)
		}
	}
}

// scale writes to all services; one that cannot be written to does not keep the others.
func (o scaleOptions) scale(ctx context.Context, c *awsclient.Clients, services []ecs.Service) ([]scaled, error) {
	rows := make([]scaled, len(services))
	errs := make([]error, len(services))
	var g errgroup.Group
	g.SetLimit(rollout.MaxCalls)
	for i, s := range services {
		g.Go(func() error {
			var out ecs.Scaled
			if o.up {
				out, errs[i] = ecs.ScaleUp(ctx, c.ECS(), s, o.count)
			} else {
				out, errs[i] = ecs.ScaleDown(ctx, c.ECS(), s)
			}
			rows[i] = scaled{s.Cluster, s.Service, out.From, out.To, out.Remembered}
			return nil
		})
	}
	_ = g.Wait() // the goroutines keep their errors in errs
	var done []scaled
	for i := range rows {
		if errs[i] == nil {
			done = append(done, rows[i])
		}
	}
	return done, refused(errors.Join(errs...))
}

func (o scaleOptions) await(ctx context.Context, w *cli, c *awsclient.Clients, refs []ecs.Ref) error {
	waiting, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	f := w.deployments(refs)
	defer f.Close()
	err := follow.AwaitCounts(waiting, c.ECS(), refs, follow.Pauses{}, f.Report)
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.Timeout, err, "slipway status shows why; the desired count stands, ECS goes on trying")
	}
	if ctx.Err() == nil {
		err = refused(err)
	}
	return err
}

func (o scaleOptions) print(w *cli, rows []scaled) error {
	if o.output == "json" {
		return writeJSON(w.stdout, append([]scaled{}, rows...))
	}
	for _, r := range rows {
		counts := fmt.Sprint(r.To)
		if r.From != r.To {
			counts = fmt.Sprintf("%d -> %d", r.From, r.To)
		}
		if _, err := plain.Fprintf(w.stdout, "%s  %s\n", ecs.Ref{Cluster: r.Cluster, Service: r.Service}, counts); err != nil {
			return err
		}
	}
	return nil
}
