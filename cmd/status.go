package cmd

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/revisions"
	"slipway/rollout"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

func newStatusCommand(w *cli) *cobra.Command {
	var o siteOptions
	c := &cobra.Command{
		Use:   "status",
		Short: "Tell what the ECS services run, and whether the tags agree",
		Long: `Tells for each of the project's ECS services how many tasks are wanted and running, which
revision each container runs, whether a deployment is under way or waits at a lifecycle
hook, and why the last one failed if it did.

Warnings on stderr, and in the JSON, tell when latest is not what runs, when several
images run at once, when what runs has expired or will, and what to type.`,
		Example: "  slipway status\n  slipway status --cluster shop --ecs-service shop --output json",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runStatus(c.Context(), w, o) },
	}
	o.flags(c.Flags())
	return c
}

// statusReport is what `status --output json` prints.
type statusReport struct {
	Services []serviceStatus `json:"services"`
	Warnings []string        `json:"warnings"`
}

type serviceStatus struct {
	Cluster        string            `json:"cluster,omitempty"`
	Service        string            `json:"service"`
	Desired        int               `json:"desired"`
	Running        int               `json:"running"`
	Pending        int               `json:"pending"`
	Controller     string            `json:"controller"`
	Strategy       string            `json:"strategy"`
	TaskDefinition string            `json:"taskDefinition"`
	Deployment     *deploymentStatus `json:"deployment"`
	// Failure is the newest deployment that did not succeed, if it is the newest of all
	// or under way; Diagnosis is what its stopped tasks tell.
	Failure    *deploymentStatus `json:"failure,omitempty"`
	Diagnosis  []string          `json:"diagnosis,omitempty"`
	Containers []containerStatus `json:"containers"`

	ref ecs.Ref
}

type deploymentStatus struct {
	// ID is the deployment's as roll-outs print it, ecs-svc/…, where ECS still tells it;
	// else the last part of ARN.
	ID      string    `json:"id"`
	ARN     string    `json:"arn"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Created time.Time `json:"created"`
	// Paused is the lifecycle hook at which it waits; null for none.
	Paused *pauseStatus `json:"paused,omitempty"`
}

type containerStatus struct {
	Container  string        `json:"container"`
	Image      string        `json:"image"`
	Repository string        `json:"repository,omitempty"`
	Images     []imageStatus `json:"images"`
}

// imageStatus is an image that a container runs.
type imageStatus struct {
	Digest string `json:"digest"`
	Tasks  int    `json:"tasks"`
	// Revisions name it, the likeliest first; empty for an image that is no revision's,
	// and for one that is not in the repository any more.
	Revisions []string `json:"revisions"`
	Latest    bool     `json:"latest"`
	Deployed  bool     `json:"deployed"`
	Gone      bool     `json:"gone"`
	// Expires is when it goes; null for never and for unknown.
	Expires *time.Time `json:"expires"`
	// Fate is stays, expires, archives or unknown; empty for an image of no repository
	// of ours.
	Fate lifecycle.Disposition `json:"fate,omitempty"`
}

// review is a status being made out.
type review struct {
	site    *rollout.Services
	listing *revisions.Listing
	fates   map[registry.Ref]lifecycle.Policy
	// Describe are the revisions, the likeliest first.
	names  []string
	report statusReport
}

func runStatus(ctx context.Context, w *cli, o siteOptions) error {
	s, cloud, err := openSite(ctx, w, o, nil)
	if err != nil {
		return err
	}
	r := &review{site: s, report: statusReport{Services: []serviceStatus{}, Warnings: []string{}}}
	if r.listing, r.fates, err = listAll(ctx, w, cloud, s.Repositories); err != nil {
		return refused(err)
	}
	if err := r.listing.ReadIndexes(ctx, cloud.Registries(), s.RunningDigests()); err != nil {
		return refused(err)
	}
	r.make()
	r.pauses(ctx, cloud)
	r.diagnose(ctx, w, cloud)
	for _, warning := range r.report.Warnings {
		w.Warnf("%s", warning)
	}
	if o.output == "json" {
		return writeJSON(w.stdout, r.report)
	}
	return r.print(w)
}

func (r *review) make() {
	r.orderNames()
	for _, st := range r.site.List {
		s := st.State
		row := serviceStatus{
			ref: st.Ref, Cluster: st.Ref.Cluster, Service: st.Ref.Service,
			Desired: s.Desired, Running: s.Running, Pending: s.Pending,
			Controller: string(s.Controller), Strategy: string(s.Strategy), TaskDefinition: s.Definition.ARN,
			Containers: []containerStatus{},
		}
		if len(s.Deployments) > 0 {
			row.Deployment = past(s, s.Deployments[0])
			if failedOrFailing(s) {
				row.Failure = row.Deployment
			}
		}
		for _, c := range s.Containers {
			row.Containers = append(row.Containers, r.container(st, c))
		}
		r.report.Services = append(r.report.Services, row)
	}
}

func past(s ecs.Service, p ecs.ServiceDeployment) *deploymentStatus {
	out := &deploymentStatus{ID: path.Base(p.ARN), ARN: p.ARN, Status: string(p.Status), Reason: p.Reason, Created: p.Created}
	for _, d := range s.Raw.Deployments {
		if id := aws.ToString(d.Id); path.Base(id) == path.Base(p.Revision) {
			out.ID = id
		}
	}
	return out
}

// failedOrFailing tells whether the newest deployment did not bring what it should, or
// has tasks that fail.
func failedOrFailing(s ecs.Service) bool {
	if s.UnderWay() == nil {
		return s.Deployments[0].Status != types.ServiceDeploymentStatusSuccessful
	}
	return slices.ContainsFunc(s.Raw.Deployments, func(d types.Deployment) bool { return d.FailedTasks > 0 })
}

// container tells what a container runs; where no task runs, what new tasks would.
func (r *review) container(st *rollout.Service, c ecs.Container) containerStatus {
	out := containerStatus{Container: c.Name, Image: c.Image, Images: []imageStatus{}}
	running := c.Running
	if len(running) == 0 && c.Resolved != "" {
		running = map[string]int{c.Resolved: 0}
	}
	repo, ours := st.Repositories[c.Name]
	if ours {
		out.Repository = repo.Name
	}
	for _, digest := range slices.Sorted(maps.Keys(running)) {
		i := imageStatus{Digest: digest, Tasks: running[digest], Revisions: []string{}}
		if ours && digest != "" {
			r.image(st, c, repo, &i)
		}
		out.Images = append(out.Images, i)
	}
	if ours && len(running) > 1 && st.State.Settling(c) {
		r.warn("%s: container %s still runs in tasks of an earlier deployment: ECS stops them", st.Ref, c.Name)
	} else if ours && len(running) > 1 && st.State.UnderWay() == nil {
		r.warn("%s: container %s runs %d images at once: slipway rollback REVISION%s makes them one", st.Ref, c.Name, len(running), r.site.Flags())
	}
	return out
}

// diagnose reads why the deployments that failed, or are failing, do so.
func (r *review) diagnose(ctx context.Context, w *cli, c *awsclient.Clients) {
	var g errgroup.Group
	g.SetLimit(rollout.MaxCalls)
	for i := range r.report.Services {
		row, s := &r.report.Services[i], r.site.List[i].State
		if row.Failure == nil {
			continue
		}
		g.Go(func() error {
			p := s.Deployments[0]
			follower := follow.Follower{ECS: c.ECS(), CodeDeploy: c.CodeDeploy(), Logs: c.Logs()}
			d := follower.Explain(ctx, follow.Outcome{
				Reason:     p.Reason,
				Deployment: ecs.Deployment{Service: s, ID: "ecs-svc/" + path.Base(p.Revision), ARN: p.ARN, Created: p.Created},
			})
			row.Diagnosis = w.diagnosis(d)
			return nil
		})
	}
	_ = g.Wait() // nothing in it fails
}

func (r *review) print(w *cli) error {
	var b strings.Builder
	for n, s := range r.report.Services {
		if n > 0 {
			b.WriteString("\n")
		}
		s.print(&b, r.listing.At)
	}
	_, err := fmt.Fprint(w.stdout, b.String())
	return err
}
