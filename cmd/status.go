package cmd

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"slipway/registry"
	"slipway/rollout"
)

// statusOptions are the flags of `slipway status`.
type statusOptions struct {
	project projectOptions
	aws     awsOptions
	ecs     ecsOptions
	output  string
}

func newStatusCommand(w *world) *cobra.Command {
	var o statusOptions
	c := &cobra.Command{
		Use:   "status",
		Short: "Tell what the ECS services run, and whether the tags agree",
		Long: `Tells for each of the project's ECS services how many tasks are wanted and running, which
revision each container runs, whether a deployment is under way, and why the last one
failed if it did.

Warnings on stderr, and in the JSON, tell when latest is not what runs, when several
images run at once, when what runs has expired or will, and what to type.`,
		Example: "  slipway status\n  slipway status --cluster shop --ecs-service shop --output json",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runStatus(c.Context(), w, o) },
	}
	f := c.Flags()
	o.project.flags(f)
	o.aws.flags(f)
	o.ecs.flags(f)
	f.StringVar(&o.output, "output", "text", "form of the result on stdout: text or json")
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

	ref rollout.Ref
}

type deploymentStatus struct {
	ID      string    `json:"id"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Created time.Time `json:"created"`
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
}

// review is a status being made out.
type review struct {
	site    *site
	listing *registry.Listing
	fates   map[registry.Ref]registry.Lifecycle
	// names are the revisions, the likeliest first.
	names  []string
	report statusReport
}

func runStatus(ctx context.Context, w *world, o statusOptions) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	s, err := findSite(ctx, w, o.project, o.ecs)
	if err != nil {
		return err
	}
	cloud, err := openCloud(ctx, w.log, o.aws.region)
	if err != nil {
		return err
	}
	if err := s.look(ctx, w, cloud); err != nil {
		return err
	}
	r := &review{site: s, report: statusReport{Services: []serviceStatus{}, Warnings: []string{}}}
	if r.listing, r.fates, err = listAll(ctx, cloud, s.repos); err != nil {
		return refused(err)
	}
	if err := r.listing.ReadIndexes(ctx, cloud.clients(), s.runningDigests()); err != nil {
		return refused(err)
	}
	r.make()
	r.diagnose(ctx, cloud)
	for _, warning := range r.report.Warnings {
		w.log.Warn().Msg(warning)
	}
	if o.output == "json" {
		return writeJSON(w.stdout, r.report)
	}
	return r.print(w)
}

// runningDigests are all digests that run, by repository.
func (s *site) runningDigests() map[registry.Ref][]string {
	out := map[registry.Ref][]string{}
	for _, st := range s.stations {
		for _, c := range st.service.Containers {
			if repo, ok := st.repos[c.Name]; ok {
				out[repo.Ref] = append(out[repo.Ref], slices.Sorted(maps.Keys(c.Running))...)
			}
		}
	}
	return out
}

// orderNames puts the revisions in the order in which an image that has several should be
// called: one that everything that runs belongs to, then the one that latest stands on,
// then the newest.
func (r *review) orderNames() {
	var latest, rest []string
	for _, rev := range r.listing.Revisions(r.site.skip) {
		if rev.Latest && rev.Complete() {
			latest = append(latest, rev.Name)
		} else {
			rest = append(rest, rev.Name)
		}
	}
	all := slices.Concat(latest, rest)
	shared := r.listing.Common(r.site.running())
	for _, name := range all {
		if slices.Contains(shared, name) {
			r.names = append(r.names, name)
		}
	}
	r.names = append(r.names, all...)
}

// namesOf are the revisions of an image, the likeliest first.
func (r *review) namesOf(ref registry.Ref, digest string) []string {
	names := slices.DeleteFunc(r.listing.NamesOf(ref, digest), func(tag string) bool { return r.site.skip(ref, tag) })
	slices.SortFunc(names, func(a, b string) int { return slices.Index(r.names, a) - slices.Index(r.names, b) })
	return append([]string{}, names...)
}

func (r *review) make() {
	r.orderNames()
	for _, st := range r.site.stations {
		s := st.service
		row := serviceStatus{
			ref: st.ref, Cluster: st.ref.Cluster, Service: st.ref.Service,
			Desired: s.Desired, Running: s.Running, Pending: s.Pending,
			Controller: string(s.Controller), Strategy: string(s.Strategy), TaskDefinition: s.Definition.ARN,
			Containers: []containerStatus{},
		}
		if len(s.Deployments) > 0 {
			row.Deployment = past(s.Deployments[0])
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

func past(p rollout.Past) *deploymentStatus {
	return &deploymentStatus{ID: path.Base(p.ARN), Status: string(p.Status), Reason: p.Reason, Created: p.Created}
}

// failedOrFailing tells whether the newest deployment did not bring what it should, or
// has tasks that fail.
func failedOrFailing(s rollout.Service) bool {
	if s.UnderWay() == nil {
		return s.Deployments[0].Status != types.ServiceDeploymentStatusSuccessful
	}
	return slices.ContainsFunc(s.Raw.Deployments, func(d types.Deployment) bool { return d.FailedTasks > 0 })
}

// container tells what a container runs; where no task runs, what new tasks would.
func (r *review) container(st *station, c rollout.Container) containerStatus {
	out := containerStatus{Container: c.Name, Image: c.Image, Images: []imageStatus{}}
	running := c.Running
	if len(running) == 0 && c.Resolved != "" {
		running = map[string]int{c.Resolved: 0}
	}
	repo, ours := st.repos[c.Name]
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
	if ours && len(running) > 1 && st.service.UnderWay() == nil {
		r.warn("%s: container %s runs %d images at once: slipway rollback REVISION makes them one", st.ref, c.Name, len(running))
	}
	return out
}

// image looks up what runs in its repository, and warns where tags and tasks disagree.
func (r *review) image(st *station, c rollout.Container, repo registry.Repository, i *imageStatus) {
	found, ok := r.listing.Image(repo.Ref, i.Digest)
	if !ok {
		i.Gone = true
		r.warn("%s: container %s runs %s, which is no longer in %s: no new task of it can start; roll out another revision (slipway revisions lists them)", st.ref, c.Name, shortDigest(i.Digest), repo.Name)
		return
	}
	i.Revisions = r.namesOf(repo.Ref, i.Digest)
	i.Latest, i.Deployed = slices.Contains(found.Tags, registry.TagLatest), slices.Contains(found.Tags, registry.TagDeployed)
	at, fate := r.fates[repo.Ref].At(found)
	if !at.IsZero() {
		i.Expires = &at
	}
	name := shortDigest(i.Digest)
	if len(i.Revisions) > 0 {
		name = i.Revisions[0]
	}
	if !i.Latest && st.service.UnderWay() == nil {
		r.warn("%s: container %s runs %s, but latest of %s is %s: slipway rollout deploys what was built last, slipway rollback %s lets the tags follow", st.ref, c.Name, name, repo.Name, r.latest(repo), name)
	}
	if fate == registry.Expires || fate == registry.Archives {
		r.warn("%s: what container %s runs (%s) is gone from %s %s: slipway rollback %s lets latest protect it", st.ref, c.Name, name, repo.Name, fateText(fate, i.Expires, r.listing.At), name)
	}
}

// latest is the revision that latest stands on, for people.
func (r *review) latest(repo registry.Repository) string {
	image, ok := r.listing.Tagged(repo.Ref, registry.TagLatest)
	if !ok {
		return "nowhere"
	}
	names := r.namesOf(repo.Ref, image.Digest)
	if len(names) == 0 {
		return shortDigest(image.Digest)
	}
	return names[0]
}

func (r *review) warn(format string, args ...any) {
	r.report.Warnings = append(r.report.Warnings, fmt.Sprintf(format, args...))
}

// diagnose reads why the deployments that failed, or are failing, do so.
func (r *review) diagnose(ctx context.Context, c *cloud) {
	var g errgroup.Group
	g.SetLimit(maxDeploys)
	for i := range r.report.Services {
		row, s := &r.report.Services[i], r.site.stations[i].service
		if row.Failure == nil {
			continue
		}
		g.Go(func() error {
			p := s.Deployments[0]
			follower := rollout.Follower{ECS: c.ecs(), CodeDeploy: c.codeDeploy(), Logs: c.logs()}
			d := follower.Explain(ctx, rollout.Outcome{
				Reason:     p.Reason,
				Deployment: rollout.Deployment{Service: s, ID: "ecs-svc/" + path.Base(p.Revision), ARN: p.ARN, Created: p.Created},
			})
			d.Next = "" // it would be this command
			row.Diagnosis = d.Lines()
			return nil
		})
	}
	_ = g.Wait() // nothing in it fails
}

func (r *review) print(w *world) error {
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
