// Package schedules finds the scheduled tasks of a project: the rules of EventBridge
// and the schedules of EventBridge Scheduler whose tasks run images of its
// repositories. No ECS service runs such an image, so that no tag of a service keeps
// it from expiring.
package schedules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/shell"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/lifecycle"
	"slipway/registry/revisions"
	"slipway/rollout"
	"slipway/rollout/status"
)

// Permissions are the IAM actions that Find needs besides those of `status`.
var Permissions = []string{
	"events:ListRules", "events:ListTargetsByRule", "scheduler:GetSchedule", "scheduler:ListSchedules",
}

// Use is a container of a scheduled task that runs an image of the project.
type Use struct {
	Task
	Container  string `json:"container"`
	Image      string `json:"image"`
	Repository string `json:"repository"`
	// Gone reports that the repository has no such image, Archived that the image
	// is in the archive: no task can start.
	Gone     bool `json:"gone"`
	Archived bool `json:"archived"`
	// Fate is stays, expires, archives or unknown; empty for an image that is gone.
	Fate lifecycle.Disposition `json:"fate,omitempty"`
	// Expires is when it goes; null for never and for unknown.
	Expires *time.Time `json:"expires"`

	repository registry.Repository
}

// Report is the scheduled tasks of a project.
type Report struct {
	// Uses are in order of kind, name and container.
	Uses []Use
	// Unread are the reasons for which Uses may not be all: the refused actions, and
	// the answers that did not come.
	Unread []error
	// At is when the images were listed.
	At time.Time
}

// Find finds the scheduled tasks that run images of the repositories, in the region
// of the clients, and when these images expire. Event buses other than the default
// one are not read.
//
// Calls: one ListRules and one ListSchedules for each hundred, one ListTargetsByRule
// for each rule, one GetSchedule for each schedule that runs tasks, one
// DescribeTaskDefinition for each task definition; where one of the images is the
// project's, one DescribeImages for each thousand images of its repository and one
// GetLifecyclePolicy.
func Find(ctx context.Context, host *project.Host, c *awsclient.Clients, repos []registry.Repository) (Report, error) {
	r := reader{events: c.Events(), scheduler: c.Scheduler(), ecs: c.ECS()}
	tasks := r.tasks(ctx)
	containers := r.containers(ctx, tasks)
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return Report{}, err
	}
	out := Report{Uses: uses(tasks, containers, repos), Unread: r.unread()}
	if len(out.Uses) == 0 {
		return out, nil
	}
	listing, policies, err := status.ListImages(ctx, host, c, repositoriesOf(out.Uses))
	if err == nil {
		err = listing.ReadIndexes(ctx, c.Registries(), digestsOf(out.Uses))
	}
	if err != nil {
		return Report{}, fault.As(fault.AWS, err)
	}
	out.At = listing.At
	for i := range out.Uses {
		out.Uses[i].judge(listing, policies)
	}
	return out, nil
}

// OfServices is Find for the repositories of a project's ECS services, once these
// have been read, and the others that its compose file names. Repositories that do
// not exist yet are left out.
func OfServices(ctx context.Context, host *project.Host, c *awsclient.Clients, s *rollout.Services) (Report, error) {
	repos := slices.Clone(s.Repositories)
	if !s.FromFlags && !s.Only.Given() {
		found, _, err := registry.Find(ctx, c.Registries(), s.ECS.Repositories)
		if err != nil {
			return Report{}, fault.As(fault.AWS, err)
		}
		for _, ref := range slices.SortedFunc(maps.Keys(found), func(a, b registry.Ref) int { return cmp.Compare(a.Name, b.Name) }) {
			repos = append(repos, found[ref])
		}
	}
	return Find(ctx, host, c, registry.DistinctRepositories(repos))
}

// Warnings returns a line for each use that ends, with its remedy, and one if the
// report may not be whole.
func (r Report) Warnings() []string {
	var out []string
	for _, u := range r.Uses {
		if u.Ends() {
			out = append(out, fmt.Sprintf("%s: %s: %s", u.Task, u.Problem(r.At), u.Remedy()))
		}
	}
	if why := r.Incomplete(); why != "" {
		out = append(out, "scheduled tasks are not all known: "+why)
	}
	return out
}

// Incomplete returns the reasons for which the report may not be whole, in one line;
// empty if it is.
func (r Report) Incomplete() string {
	var out []string
	for _, err := range r.Unread {
		out = append(out, err.Error())
	}
	return strings.Join(out, "; ")
}

// uses returns the containers of tasks whose images are in the repositories.
func uses(tasks []Task, containers map[string][]container, repos []registry.Repository) []Use {
	out := []Use{}
	for _, task := range tasks {
		for _, c := range containers[task.Definition] {
			ref, ok := project.RepositoryOfImage(c.image)
			i := slices.IndexFunc(repos, func(r registry.Repository) bool { return ok && project.MayBeSame(r.Ref, ref) })
			if i >= 0 {
				out = append(out, Use{Task: task, Container: c.name, Image: c.image, Repository: repos[i].Name, repository: repos[i]})
			}
		}
	}
	return out
}

func repositoriesOf(uses []Use) []registry.Repository {
	var out []registry.Repository
	for _, u := range uses {
		out = append(out, u.repository)
	}
	return registry.DistinctRepositories(out)
}

// digestsOf returns the digests that the images name.
func digestsOf(uses []Use) map[registry.Ref][]string {
	out := map[registry.Ref][]string{}
	for _, u := range uses {
		if at := project.TagOrDigest(u.Image); strings.HasPrefix(at, digestPrefix) {
			out[u.repository.Ref] = append(out[u.repository.Ref], at)
		}
	}
	return out
}

// digestPrefix begins the digests of ECR, and no tag.
const digestPrefix = "sha256:"

// judge looks the image up and computes when it goes.
func (u *Use) judge(listing *revisions.Listing, policies map[registry.Ref]lifecycle.Policy) {
	ref, at := u.repository.Ref, project.TagOrDigest(u.Image)
	image, found := listing.Tagged(ref, at)
	if strings.HasPrefix(at, digestPrefix) {
		image, found = listing.Image(ref, at)
	}
	if u.Gone, u.Archived = !found, image.Archived; !found {
		return
	}
	expires, fate := image.Expiry(policies[ref])
	u.Fate = fate
	if !expires.IsZero() {
		u.Expires = &expires
	}
}

// Ends reports whether the tasks cannot start, or soon cannot, because the image is
// gone or goes.
func (u Use) Ends() bool {
	return u.Gone || u.Archived || u.Fate == lifecycle.Expires || u.Fate == lifecycle.Archives
}

// Problem says what becomes of the image of a use that ends.
func (u Use) Problem(now time.Time) string {
	about := fmt.Sprintf("the image of container %s in task definition %s", u.Container, u.Definition)
	switch {
	case u.Gone:
		return fmt.Sprintf("%s is no longer in %s (%s), and no task of it starts", about, u.Repository, u.Image)
	case u.Archived:
		return fmt.Sprintf("%s is in the archive of %s (%s), and no task of it starts", about, u.Repository, u.Image)
	default:
		return fmt.Sprintf("%s is gone from %s %s (%s), and no task of it starts then", about, u.Repository, status.ExpiryText(u.Fate, u.Expires, now), u.Image)
	}
}

// Remedy says how the tasks run an image that does not expire, with the command that
// shows what is to be changed.
func (u Use) Remedy() string {
	name, _ := project.RepositoryName(u.Image)
	change := "let a revision of the task definition name " + name + ":" + registry.TagLatest
	if family, _, pinned := strings.Cut(u.Definition, ":"); pinned {
		change += fmt.Sprintf(", and let the %s name %s without a revision", u.Kind, family)
	}
	return change + ": `" + u.command() + "` prints its " + u.Kind.targets()
}

// ExpiryText returns when the image goes, for people.
func (u Use) ExpiryText(now time.Time) string {
	switch {
	case u.Gone:
		return "gone"
	case u.Archived:
		return "archived"
	default:
		return status.ExpiryText(u.Fate, u.Expires, now)
	}
}

// command returns the command that prints the target of the task.
func (t Task) command() string {
	if t.Kind == Rule {
		return "aws events list-targets-by-rule --rule " + shell.Word(t.Name)
	}
	group := ""
	if t.Group != defaultGroup {
		group = " --group-name " + shell.Word(t.Group)
	}
	return "aws scheduler get-schedule --name " + shell.Word(t.Name) + group
}
