package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/spf13/cobra"

	"slipway/artifact"
	"slipway/buildspec"
	"slipway/buildspec/iam"
	"slipway/cmd/check"
	"slipway/cmd/hint"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/project/compose"
	"slipway/rollout/secret"
	"slipway/rollout/task"
)

// iamOptions are the flags of `slipway buildspec iam`.
type iamOptions struct {
	project  projectFlags
	ecs      project.ECSOptions
	use      iam.Use
	artifact string
	source   string
	cache    string
	buckets  []string
	// regionSrc and accountSrc are the variables that region and account come from.
	regionSrc, accountSrc string
}

// whereIs puts before an error the flag or variable that it is about.
func (o *iamOptions) whereIs(bad *iam.UseError) error {
	where := map[string]string{
		"Partition": "--partition", "Region": cmp.Or(o.regionSrc, "--region"), "Account": cmp.Or(o.accountSrc, "--account"), "Pipeline": "--pipeline",
		"Roles": "--role", "LogGroups": "--log-group", "Caller": "--caller", "DeploymentGroups": "--deployment-group",
		"Services": "ECS service", "Repositories": "repository", "Mirrors": "--mirror", "Secrets": "secret", "Stack": "x-slipway.task.stack", "Before": "x-slipway.task.before",
	}[bad.Field]
	if where == "" {
		return bad
	}
	return fmt.Errorf("%s: %w", where, bad)
}

func newIAMCommand(w *cli) *cobra.Command {
	var o iamOptions
	c := &cobra.Command{
		Use:   "iam [COMMAND...]",
		Short: "Print the least IAM policy for some commands",
		Long: `Prints the least IAM policy that some of slipway's commands need, as JSON, narrowed to the
project's repositories, ECS services and buckets. The commands are ` + strings.Join(iam.Commands(), ", ") + `;
build if none is named. The flags say how they will be called.

The policy has REGION and ACCOUNT, in capitals, in place of unknown values. A warning on
stderr names each one.`,
		Example: `  slipway buildspec iam --account 123456789012 --region eu-west-1
  slipway buildspec iam build --create-repositories --rollout --role shop-execution --role shop-task
  slipway buildspec iam rollback status revisions --cluster shop --ecs-service shop
  slipway buildspec iam submit --source s3://my-bucket/source.zip --pipeline shop`,
		Args: func(_ *cobra.Command, args []string) error {
			for _, a := range args {
				if !slices.Contains(iam.Commands(), a) {
					return fault.New(fault.Usage, fmt.Errorf("there is no permission to list for %q", a), "the commands that ask AWS are "+strings.Join(iam.Commands(), ", "))
				}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.use.Commands = args
			return runIAM(c.Context(), w, o)
		},
	}
	f := c.Flags()
	o.project.flags(f)
	addECSFlags(f, &o.ecs)
	f.StringVar(&o.use.Account, "account", "", "AWS account `id` (default: AWS_ACCOUNT_ID)")
	f.StringVar(&o.use.Region, "region", "", "AWS `region` (default: AWS_REGION, AWS_DEFAULT_REGION)")
	f.StringVar(&o.use.Partition, "partition", "", "AWS `partition`: aws, aws-cn, aws-us-gov … (default: the region's)")
	f.BoolVar(&o.use.CreateRepositories, "create-repositories", false, "build creates repositories")
	f.BoolVar(&o.use.CreateService, "create-service", false, "build --rollout and rollout create ECS services")
	f.BoolVar(&o.use.Rollout, "rollout", false, "build deploys to ECS")
	f.BoolVar(&o.use.NoLatest, "no-latest", false, "build moves no tag but its own, rollout and rollback none")
	f.BoolVar(&o.use.Untrusted, "untrusted", false, "build is untrusted, as one of a pull request is")
	f.StringVar(&o.artifact, "artifact", "", "s3:// `URL` that build puts the definitions at (default: x-slipway.artifact)")
	f.StringVar(&o.source, "source", "", "s3:// `URL` that submit puts the source at")
	f.BoolVar(&o.use.Wait, "wait", false, "submit follows the pipeline")
	f.StringVar(&o.use.Pipeline, "pipeline", "", "`name` of the pipeline that submit follows")
	f.StringVar(&o.cache, "cache", "", "build's layer cache at s3://BUCKET/PREFIX (default: x-slipway.engine.cache)")
	f.StringSliceVar(&o.project.Mirrors, "mirror", nil, "build's `REGISTRY=HOST/PREFIX` (default: x-slipway.engine.mirrors)")
	f.StringSliceVar(&o.buckets, "bucket", nil, "s3:// `URL` of a bucket that retention sees to")
	f.BoolVar(&o.use.Preview, "preview", false, "retention only previews")
	f.BoolVar(&o.use.CodeDeploy, "code-deploy", false, "CodeDeploy deploys the ECS services, not ECS itself")
	f.StringSliceVar(&o.use.DeploymentGroups, "deployment-group", nil, "CodeDeploy `APPLICATION/GROUP` of an ECS service; implies --code-deploy")
	f.BoolVar(&o.use.Push, "push", false, "secrets are pushed, not only listed")
	f.StringVar(&o.use.Caller, "caller", "", "`name` or ARN of the role, or ARN of the user, that runs doctor")
	f.BoolVar(&o.use.Tags, "tags", false, "the task definitions have tags, which each revision of them gets")
	f.BoolVar(&o.use.RequireScan, "require-scan", false, "a deployment requires ECR's scan of the images")
	f.BoolVar(&o.use.RequireSignature, "require-signature", false, "a deployment requires a signature of ECR's managed signing")
	f.BoolVar(&o.use.Schedules, "schedules", false, "status reports scheduled tasks, too")
	f.StringSliceVar(&o.use.Roles, "role", nil, "`name` or ARN of an execution or task role of the task definitions")
	f.StringSliceVar(&o.use.LogGroups, "log-group", nil, "`name` of a container log group, read when a rollout fails (default: /ecs/*)")
	return c
}

func runIAM(ctx context.Context, w *cli, o iamOptions) error {
	if len(o.use.Commands) == 0 {
		o.use.Commands = []string{"build"}
	}
	if err := o.complete(ctx, w); err != nil {
		return err
	}
	policy, err := o.use.Policy()
	var bad *iam.UseError
	if errors.As(err, &bad) {
		return fault.New(fault.Usage, o.whereIs(bad), hint.Of(bad))
	}
	if err != nil {
		return err
	}
	text, err := policy.JSON()
	if err != nil {
		return err
	}
	tellOpen(w, policy, string(text))
	return putJSON(w.stdout, text)
}

// complete adds what the project and the environment say.
func (o *iamOptions) complete(ctx context.Context, w *cli) error {
	if err := check.ECS(o.ecs); err != nil {
		return err
	}
	composed, err := project.Load(ctx, &w.Host, o.project.Options, nil)
	s := &project.ECS{FromFlags: len(o.ecs.Services) > 0}
	switch {
	case errors.Is(err, compose.ErrNoProject) && len(o.project.Files) == 0:
		// An operator may stand anywhere; what the flags do not tell becomes a placeholder.
		for _, name := range o.ecs.Services {
			o.use.Services = append(o.use.Services, iam.Service{Cluster: o.ecs.Cluster, Service: name})
		}
	case err != nil:
		return err
	default:
		if err := s.AddProject(&w.Host, composed, o.ecs); err != nil {
			return err
		}
		settings, err := compose.ReadSettings(composed)
		if err != nil {
			return err
		}
		o.use.Tags = o.use.Tags || settings.Task != nil // those of the settings
		if o.artifact == "" && !o.use.Untrusted {
			o.artifact = settings.Artifact
		}
		if o.cache == "" && !o.use.Untrusted {
			o.cache = settings.Cache
		}
		if err := o.addSecrets(composed, settings); err != nil {
			return err
		}
		copies, err := o.project.MirrorsInECR(settings)
		if err != nil {
			return err
		}
		for _, ref := range copies {
			o.use.Mirrors = append(o.use.Mirrors, iam.Repository(ref))
		}
	}
	o.use.Named = s.FromFlags
	o.use.CodeDeploy = o.use.CodeDeploy || len(o.use.DeploymentGroups) > 0
	o.use.Wait = o.use.Wait || o.use.Pipeline != ""
	for _, ref := range s.Repositories {
		o.use.Repositories = append(o.use.Repositories, iam.Repository(ref))
	}
	for _, ref := range s.Refs() {
		o.use.Services = append(o.use.Services, iam.Service(ref))
	}
	env := buildspec.FromEnv(w.LookupEnv)
	if o.use.Region == "" && env.Region != "" {
		o.use.Region, o.regionSrc = env.Region, "AWS_REGION, AWS_DEFAULT_REGION"
	}
	if id := w.Getenv("AWS_ACCOUNT_ID"); o.use.Account == "" && id != "" {
		o.use.Account, o.accountSrc = id, "AWS_ACCOUNT_ID"
	}
	return o.addBuckets()
}

// addSecrets adds the secrets and the stack of the project, as the commands read them.
func (o *iamOptions) addSecrets(composed *types.Project, settings compose.Settings) error {
	if settings.Task == nil && !slices.Contains(o.use.Commands, "secrets") {
		return nil
	}
	if settings.Task != nil {
		o.use.Stack = settings.Task.Stack
		for _, name := range settings.Task.Before {
			o.use.Before = append(o.use.Before, task.BeforeFamily(composed.Name, name))
		}
	}
	all, err := secret.Of(composed)
	o.use.Secrets, o.use.SecretARNs, o.use.Parameters = secret.IDs(all)
	return err
}

func (o *iamOptions) addBuckets() error {
	if o.artifact != "" {
		loc, err := artifact.ParseS3URL(o.artifact)
		if err != nil {
			return fault.New(fault.Usage, fmt.Errorf("--artifact: %w", err), "write s3://bucket/key")
		}
		o.use.Artifact = loc.Bucket + "/" + loc.Key
	}
	if o.source != "" {
		loc, err := artifact.ParseS3URL(o.source)
		if err != nil {
			return fault.New(fault.Usage, fmt.Errorf("--source: %w", err), "write s3://bucket/key, as for slipway submit")
		}
		o.use.Source = loc.Bucket + "/" + loc.Key
	}
	if err := project.CheckCache(o.cache); o.cache != "" && err != nil {
		return fault.New(fault.Usage, fmt.Errorf("--cache: %w", err), project.CacheHint)
	}
	if project.CacheOnS3(o.cache) {
		loc, err := project.CacheLocation(o.cache)
		if err != nil {
			return err
		}
		o.use.Cache = loc.Bucket + "/" + loc.Key
	}
	for _, url := range o.buckets {
		loc, err := artifact.ParseS3Prefix(url)
		if err != nil {
			return fault.New(fault.Usage, fmt.Errorf("--bucket: %w", err), "write s3://bucket or s3://bucket/prefix/")
		}
		o.use.Buckets = append(o.use.Buckets, loc.Bucket)
	}
	return nil
}

// tellOpen names the placeholders that are left, and says when the policy is too long.
func tellOpen(w *cli, p iam.Policy, text string) {
	flags := map[string]string{"REGION": "--region", "ACCOUNT": "--account", "REPOSITORY": "run it in the project's directory", "ROLE": "--role, for each role of the task definitions", "BUCKET": "--source s3://BUCKET/KEY", "PIPELINE": "--pipeline", "CALLER": "--caller", "APPLICATION": "--deployment-group APPLICATION/GROUP", "DEPLOYMENT_GROUP": "--deployment-group APPLICATION/GROUP", "SECRET": "run it in the project's directory"}
	for _, word := range iam.Placeholders() {
		if strings.Contains(text, ":"+word) || strings.Contains(text, "/"+word+`"`) {
			w.Warnf("%s stands for what is not known here: %s", word, flags[word])
		}
	}
	if size := p.Size(); size > iam.MaxManagedPolicy {
		w.Warnf("the policy has %d characters, and a managed policy at most %d: put it into the role itself (at most %d), or one policy for each command", size, iam.MaxManagedPolicy, iam.MaxRolePolicies)
	}
}
