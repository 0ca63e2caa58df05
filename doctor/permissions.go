package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"golang.org/x/sync/errgroup"

	"slipway/artifact"
	"slipway/buildspec/iam"
	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry"
	"slipway/retention"
	"slipway/rollout/ecs"
	"slipway/rollout/secret"
	"slipway/rollout/task"
)

// checkPermissions asks IAM what it would say to the least policy of build, and tries out
// what can be tried.
func (d *doctor) checkPermissions(ctx context.Context) []Finding {
	var both sync.WaitGroup
	var simulated, tried []Finding
	both.Go(func() { simulated = d.simulate(ctx) })
	both.Go(func() { tried = d.dryRun(ctx) })
	both.Wait()
	return append(simulated, tried...)
}

// unknownPermissions is the remedy for permissions that cannot be asked for.
const unknownPermissions = "allow iam:SimulatePrincipalPolicy and iam:GetRole to have them checked; or compare the role's policies with `slipway buildspec iam build`; or push for a trial, which moves no tag that runs: slipway build --no-latest"

func (d *doctor) simulate(ctx context.Context) []Finding {
	c, err := d.cloud()
	if err != nil {
		return []Finding{broken(err)}
	}
	a, _ := d.access()
	if a.caller == nil {
		return []Finding{Unchecked(unknownPermissions, "whose the credentials are is not known")}
	}
	client := awsiam.NewFromConfig(c.Config)
	who, err := principalOf(ctx, client, *a.caller.Arn)
	switch {
	case err != nil:
		return []Finding{Unchecked(unknownPermissions, "IAM cannot be asked about %s: %v", *a.caller.Arn, err)}
	case strings.HasSuffix(who, ":root"):
		return []Finding{Fine("the root user may do everything; better give build a role of its own").of(who)}
	}
	policy, err := d.use(ctx, *a.caller.Account, c).Policy()
	if err != nil {
		return []Finding{broken(err)}
	}
	answers, err := simulate(ctx, client, who, policy)
	if err != nil {
		return []Finding{Unchecked(unknownPermissions, "IAM cannot be asked about %s: %v", who, err)}
	}
	return d.judge(who, answers)
}

// use returns the actions and resources that build would ask AWS for.
func (d *doctor) use(ctx context.Context, account string, c *awsclient.Clients) iam.Use {
	u := iam.Use{
		Commands: []string{"build"}, Rollout: d.options.Rollout, NoLatest: d.build.NoLatest, Untrusted: d.plan.Untrusted.Yes(),
		Scope: iam.Scope{Account: account, Region: c.Config.Region},
	}
	repos, err := d.repositories()
	u.CreateRepositories = d.build.Create && (err != nil || len(repos.missing) > 0)
	for _, s := range d.plan.Components {
		ref := s.Ref
		if repo, ok := repos.found[s.Ref]; ok {
			ref = repo.Ref
		}
		u.Repositories = append(u.Repositories, iam.Repository(ref))
	}
	for _, ref := range d.plan.ECS.Refs() {
		u.Services = append(u.Services, iam.Service(ref))
	}
	if loc, err := artifact.ParseS3URL(d.build.Artifact); err == nil {
		u.Artifact = loc.Bucket + "/" + loc.Key
	}
	if loc, err := project.CacheLocation(d.build.Cache); err == nil && project.CacheOnS3(d.build.Cache) {
		u.Cache = loc.Bucket + "/" + loc.Key
	}
	if u.Rollout {
		d.addDeployment(ctx, c, &u)
		d.addSettings(&u)
	}
	return u
}

// addSettings adds what the compose file's settings take.
func (d *doctor) addSettings(u *iam.Use) {
	settings := d.plan.Settings.Task
	if settings == nil {
		return
	}
	u.Tags, u.Stack = true, settings.Stack
	u.Secrets, u.SecretARNs, u.Parameters = secret.IDs(d.plan.Secrets)
	for _, name := range settings.Before {
		u.Before = append(u.Before, task.BeforeFamily(d.plan.Project, name))
	}
}

// addDeployment adds what only the services themselves show. A value that is
// not known stays a placeholder, which is not asked about.
func (d *doctor) addDeployment(ctx context.Context, c *awsclient.Clients, u *iam.Use) {
	services, err := ecs.Read(ctx, c.ECS(), d.plan.ECS.Refs())
	if err != nil {
		return // the check of the services says why
	}
	for _, s := range services {
		u.CodeDeploy = u.CodeDeploy || s.Controller == types.DeploymentControllerTypeCodeDeploy
		u.Tags = u.Tags || len(s.Definition.Tags) > 0
		u.Roles = append(u.Roles, s.Definition.Roles()...)
	}
}

// FindLosses turns the answers to a simulation into findings. What build can do without is a
// warning.
func (d *doctor) judge(who string, answers map[string][]denial) []Finding {
	var out []Finding
	for _, action := range slices.Sorted(maps.Keys(answers)) {
		denials := answers[action]
		if len(denials) == 0 {
			continue
		}
		f := broken(fault.New(fault.AWS, errors.New(denialText(denials)), "allow it in the policies of "+who+": `slipway buildspec iam build` prints the least that build needs"))
		if without := d.without(action); without != "" {
			f = f.Softened()
			f.Detail += ": " + without
		} else if !slices.ContainsFunc(denials, func(x denial) bool { return !patterned(x.resource) }) {
			f = f.Softened()
			f.Detail += ": checked with a wildcard; the role may still be allowed on the resources it needs"
		}
		out = append(out, f.of(action))
	}
	if len(out) == 0 {
		out = append(out, Fine("%s allowed, says IAM's simulation", phrase.Count(len(answers), "action")).of(who))
	}
	return out
}

// patterned reports whether a resource stands for many: IAM answers for the
// pattern itself.
func patterned(resource string) bool { return resource != "*" && strings.Contains(resource, "*") }

func denialText(denials []denial) string {
	var on, why []string
	for _, x := range denials {
		if x.resource != "*" {
			on = append(on, lastOf(x.resource))
		}
		if x.why != "" && !slices.Contains(why, x.why) {
			why = append(why, x.why)
		}
	}
	text := "denied"
	if len(why) > 0 {
		text += " " + strings.Join(why, ", ")
	}
	if len(on) > 0 {
		slices.Sort(on)
		text += " on " + strings.Join(slices.Compact(on), ", ")
	}
	return text
}

// lastOf is an ARN without what all ARNs of an account have in front.
func lastOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	return parts[len(parts)-1]
}

// without says what build does without an action; empty where it cannot.
func (d *doctor) without(action string) string {
	switch {
	case strings.HasPrefix(action, "logs:"):
		return "a rollout that fails does not print the last log lines of its containers"
	case action == "cloudformation:DescribeStacks", action == "secretsmanager:DescribeSecret":
		return "a rollout keeps the values of the running task definition"
	case action == "ecs:StopServiceDeployment", action == "codedeploy:StopDeployment":
		return "a deployment that takes too long is not stopped"
	case strings.HasPrefix(action, "s3:") && !strings.HasPrefix(d.build.Artifact, "s3:"), action == "s3:GetObject", action == "s3:ListBucket", action == "s3:AbortMultipartUpload":
		return "the layer cache is not used, or not wholly"
	case d.options.Rollout && !strings.HasPrefix(action, "ecr:"):
	case strings.HasPrefix(action, "ecs:"):
		return "build will protect the images that latest points to, not the running images"
	case action == "ecr:BatchDeleteImage":
		return "tags could not be reverted if tagging failed halfway"
	case action == "ecr:PutLifecyclePolicy" && !d.writesPolicies():
		return "the lifecycle policies need no change now"
	}
	return ""
}

func (d *doctor) writesPolicies() bool {
	repos, err := d.repositories()
	if err != nil || len(repos.missing) > 0 {
		return true
	}
	policies, err := d.policies()
	return err != nil || slices.ContainsFunc(policies, func(r retention.State) bool { return r.Outcome.Changed && len(r.Losses) == 0 })
}

// dryRun tries out on each repository what can be tried without writing.
func (d *doctor) dryRun(ctx context.Context) []Finding {
	clients, err := d.clients()
	if err != nil {
		return []Finding{broken(err)}
	}
	found, err := d.repositories()
	if err != nil || len(found.found) == 0 {
		return nil // said of the repositories
	}
	repos := found.list(d.plan)
	each := make([]Finding, len(repos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(retention.MaxCalls)
	for i, repo := range repos {
		g.Go(func() error {
			denied, err := registry.DryRun(ctx, clients(repo.Region), repo)
			switch {
			case err != nil:
				each[i] = broken(fault.As(fault.AWS, err)).of(repo.Name)
			case len(denied) > 0:
				each[i] = broken(fault.New(fault.AWS, fmt.Errorf("denied when tried: %s", strings.Join(denied, ", ")), "allow it in the caller's policy and, in another account, in the repository's")).of(repo.Name)
			}
			return nil
		})
	}
	_ = g.Wait() // each finding has its error
	out := slices.DeleteFunc(each, func(f Finding) bool { return f.Status == "" })
	if len(out) == 0 {
		return []Finding{Fine("%s: allowed, tried on each repository", strings.Join(registry.DryActions, ", "))}
	}
	return out
}
