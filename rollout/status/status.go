// Package status compares what the ECS services of a project run with the tags of
// their images.
package status

import (
	"context"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/revisions"
	"slipway/rollout"
	"slipway/rollout/diagnose"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// Report is the result of `status --output json`.
type Report struct {
	Services []Service `json:"services"`
	Warnings []string  `json:"warnings"`
	// At is when the images were listed.
	At time.Time `json:"-"`
}

type Service struct {
	Cluster        string      `json:"cluster,omitempty"`
	Service        string      `json:"service"`
	Desired        int         `json:"desired"`
	Running        int         `json:"running"`
	Pending        int         `json:"pending"`
	Controller     string      `json:"controller"`
	Strategy       string      `json:"strategy"`
	TaskDefinition string      `json:"taskDefinition"`
	Deployment     *Deployment `json:"deployment"`
	// Failure is the newest deployment that did not succeed, if it is the
	// newest of all or under way; Diagnosis is the cause that its stopped tasks
	// show.
	Failure    *Deployment `json:"failure,omitempty"`
	Diagnosis  []string    `json:"diagnosis,omitempty"`
	Containers []Container `json:"containers"`

	// Ref is the ECS service.
	Ref ecs.Ref `json:"-"`
}

type Deployment struct {
	// ID is the id of the deployment as rollouts print it, ecs-svc/…, if ECS
	// still returns it; else the last part of ARN.
	ID      string    `json:"id"`
	ARN     string    `json:"arn"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Created time.Time `json:"created"`
	// Paused is the lifecycle hook at which it waits; null for none.
	Paused *Pause `json:"paused,omitempty"`
}

type Container struct {
	Container  string  `json:"container"`
	Image      string  `json:"image"`
	Repository string  `json:"repository,omitempty"`
	Images     []Image `json:"images"`
}

// Image is an image that a container runs.
type Image struct {
	Digest string `json:"digest"`
	Tasks  int    `json:"tasks"`
	// Revisions name it, the likeliest first; empty for an image without a
	// revision, and for one that is no longer in the repository.
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

// builder makes a status.
type builder struct {
	services *rollout.Services
	listing  *revisions.Listing
	policies map[registry.Ref]lifecycle.Policy
	// names are the revisions, the likeliest first.
	names  []string
	report Report
	texts  Texts
}

// Texts render the parts of a report that only the command line can word.
type Texts struct {
	// Diagnosis returns the lines of a diagnosis.
	Diagnosis func(diagnose.Diagnosis) []string
	// Hint returns the hint of a warning.
	Hint func(error) string
	// Continue and Abort return the commands that answer the paused deployment of a
	// service.
	Continue, Abort func(ecs.Ref) string
}

// Read reads the images that the services run, and compares them with the tags.
func Read(ctx context.Context, host *project.Host, aws *awsclient.Clients, s *rollout.Services, texts Texts) (Report, error) {
	r := &builder{services: s, texts: texts, report: Report{Services: []Service{}, Warnings: []string{}}}
	var err error
	if r.listing, r.policies, err = ListImages(ctx, host, aws, s.Repositories); err != nil {
		return Report{}, fault.As(fault.AWS, err)
	}
	if err := r.listing.ReadIndexes(ctx, aws.Registries(), s.RunningDigests()); err != nil {
		return Report{}, fault.As(fault.AWS, err)
	}
	r.protect(ctx, host, aws)
	r.make()
	r.pauses(ctx, aws)
	r.diagnose(ctx, aws)
	r.lacking(ctx, aws)
	r.report.At = r.listing.At
	return r.report, nil
}

func (r *builder) make() {
	r.orderNames()
	for _, st := range r.services.List {
		s := st.State
		row := Service{
			Ref: st.Ref, Cluster: st.Ref.Cluster, Service: st.Ref.Service,
			Desired: s.Desired, Running: s.Running, Pending: s.Pending,
			Controller: string(s.Controller), Strategy: string(s.Strategy), TaskDefinition: s.Definition.ARN,
			Containers: []Container{},
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
		if mayNeverEnd(s, r.listing.At) {
			r.problem(rollout.Endless, "", "%s: its deployment may go on forever: a task that becomes healthy resets the count of the circuit breaker (resetOnHealthyTask), however often it crashes later", st.Ref)
		}
		r.settings(st)
		if s.Stalled() {
			r.warnOf(rollout.StalledError(s, runningRevision(row)))
		}
		r.report.Services = append(r.report.Services, row)
	}
}

// mayNeverEnd reports whether a deployment under way has tasks that fail, or has
// made no end within the time limit, and the circuit breaker counts from zero
// again and again.
func mayNeverEnd(s ecs.Service, now time.Time) bool {
	p, c := s.UnderWay(), s.Raw.DeploymentConfiguration
	if p == nil || c == nil || !ecs.ResetsBreaker(c) {
		return false
	}
	primary := ecs.PrimaryDeployment(s.Raw)
	missing := primary != nil && primary.RunningCount < primary.DesiredCount
	return missing && (primary.FailedTasks > 0 || now.Sub(p.Created) > rollout.DefaultTimeout)
}

// runningRevision returns the name of the revision that a service runs; empty if
// it is not known.
func runningRevision(s Service) string {
	for _, c := range s.Containers {
		for _, i := range c.Images {
			if i.Tasks > 0 && len(i.Revisions) > 0 {
				return i.Revisions[0]
			}
		}
	}
	return ""
}

func past(s ecs.Service, p ecs.ServiceDeployment) *Deployment {
	out := &Deployment{ID: path.Base(p.ARN), ARN: p.ARN, Status: string(p.Status), Reason: p.Reason, Created: p.Created}
	primary := ecs.PrimaryDeployment(s.Raw)
	if s.Unread != nil && primary != nil {
		out.ID = aws.ToString(primary.Id)
	}
	for _, d := range s.Raw.Deployments {
		if id := aws.ToString(d.Id); path.Base(id) == path.Base(p.Revision) {
			out.ID = id
		}
	}
	return out
}

// failedOrFailing reports whether the newest deployment did not succeed, or has
// tasks that fail.
func failedOrFailing(s ecs.Service) bool {
	if s.UnderWay() == nil {
		return s.Deployments[0].Status != types.ServiceDeploymentStatusSuccessful
	}
	return slices.ContainsFunc(s.Raw.Deployments, func(d types.Deployment) bool { return d.FailedTasks > 0 })
}

// container returns the images that a container runs; where no task runs, the
// image of new tasks.
func (r *builder) container(st *rollout.Service, c ecs.Container) Container {
	out := Container{Container: c.Name, Image: c.Image, Images: []Image{}}
	running := c.Running
	if len(running) == 0 && c.Resolved != "" {
		running = map[string]int{c.Resolved: 0}
	}
	repo, ours := st.Repositories[c.Name]
	if ours {
		out.Repository = repo.Name
	}
	for _, digest := range slices.Sorted(maps.Keys(running)) {
		i := Image{Digest: digest, Tasks: running[digest], Revisions: []string{}}
		if ours && digest != "" {
			r.image(st, c, repo, &i)
		}
		out.Images = append(out.Images, i)
	}
	if ours && len(running) > 1 && st.State.Settling(c) {
		r.warn("%s: container %s still runs in tasks of an earlier deployment: ECS stops them", st.Ref, c.Name)
	} else if ours && len(running) > 1 && st.State.UnderWay() == nil {
		r.problem(rollout.Mixed, "", "%s: container %s runs %d images at once", st.Ref, c.Name, len(running))
	}
	return out
}

// diagnose reads why the deployments that failed, or are failing, do so.
func (r *builder) diagnose(ctx context.Context, c *awsclient.Clients) {
	var g errgroup.Group
	g.SetLimit(rollout.MaxCalls)
	for i := range r.report.Services {
		row, s := &r.report.Services[i], r.services.List[i].State
		if row.Failure == nil {
			continue
		}
		g.Go(func() error {
			p, id := s.Deployments[0], row.Deployment.ID
			if p.Revision != "" {
				id = "ecs-svc/" + path.Base(p.Revision)
			}
			follower := follow.Follower{ECS: c.ECS(), CodeDeploy: c.CodeDeploy(), Logs: c.Logs()}
			d := follower.Explain(ctx, follow.Outcome{
				Reason:     p.Reason,
				Deployment: ecs.Deployment{Service: s, ID: id, ARN: p.ARN, Created: p.Created},
			})
			row.Diagnosis = r.texts.Diagnosis(d)
			return nil
		})
	}
	_ = g.Wait() // nothing in it fails
}
