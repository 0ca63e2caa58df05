package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"slipway/artifact"
	"slipway/build/engine"
	"slipway/build/solve"
	"slipway/internal/awsclient"
	"slipway/internal/fault"
)

// buildOptions are the flags of `slipway build`.
type buildOptions struct {
	project projectOptions
	aws     awsOptions
	output  string

	plan     bool
	rebuild  bool
	noLatest bool
	imageRef string
	artifact string
	progress string
	cache    string
	// cacheGiven reports that the command line or the environment names the cache.
	cacheGiven bool
	// cacheDropped reports that the compose file asks for a cache that is not written.
	cacheDropped bool
	engine       string
	engineSrc    string
	engineTLS    string
	// engineNet is the network of RUN steps on a managed engine.
	engineNet string
	stateDir  string
	jobs      int
	failFast  bool
	// pushAttempts is how often a push is tried; tests shorten it.
	pushAttempts int

	retention retentionOptions
	create    bool

	rollout bool
	deploy  deployOptions
}

// awsOptions are the flags of every command that asks AWS.
type awsOptions struct {
	region string
	// timeout is the time limit of one attempt of a call.
	timeout time.Duration
}

func (o *awsOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.region, "region", "", "AWS `region` (default: as the AWS SDK finds it)")
	o.timeout = awsclient.DefaultTimeout
	f.Var((*positiveDuration)(&o.timeout), "aws-timeout", "`time` limit of each request to AWS; the second one that passes it is an error")
}

// positiveDuration is a flag's value that must be more than 0.
type positiveDuration time.Duration

func (d *positiveDuration) String() string { return time.Duration(*d).String() }

func (d *positiveDuration) Type() string { return "duration" }

func (d *positiveDuration) Set(text string) error {
	value, err := time.ParseDuration(text)
	if err == nil && value <= 0 {
		err = errors.New("want a time of more than 0, such as 30s")
	}
	*d = positiveDuration(value)
	return err
}

// retentionOptions are the flags of the 7-day policies.
type retentionOptions struct {
	days    int
	replace bool
}

func (o *retentionOptions) flags(f *pflag.FlagSet) {
	f.IntVar(&o.days, "retention-days", 7, "`days` after its push at which an image may expire")
	f.BoolVar(&o.replace, "replace-policy", false, "overwrite lifecycle rules that others put there and that clash with slipway's")
}

func (o retentionOptions) check() error {
	if o.days < 1 || o.days > maxRetention {
		return fault.New(fault.Usage, fmt.Errorf("--retention-days: want 1 to %d, have %d", maxRetention, o.days), "leave the flag out for 7 days")
	}
	return nil
}

// maxRetention is a hundred years: what is longer is a slip of the hand, and S3 counts in
// 32 bits.
const maxRetention = 36500

func newBuildCommand(w *world) *cobra.Command {
	var o buildOptions
	c := &cobra.Command{
		Use:   "build [SERVICE...]",
		Short: "Build the services, push them by digest, tag them all or nothing, write the definitions",
		Long: `Builds the services of the compose file that have a build section, pushes each image
to its ECR repository by digest, and when all are there tags them with the hash, moves
deployed and latest, and writes imagedefinitions.json. If anything fails before that, no
tag moves anywhere.

A build of a pull request is untrusted. Slipway recognizes one in CodeBuild; elsewhere,
give --untrusted. Its revision is called prN-HASH or untrusted-HASH. It moves no tag that
exists, and writes no lifecycle policy and no layer cache that others read. No trusted
build uses its images. --untrusted=false declares the source trusted.

With SERVICE arguments, those and the services they are linked to are built; what latest
stands on in the other repositories gets the hash as well, so that every revision is
whole.

The result goes to stdout, one line for each service: its name, repository:hash, and the
digest. Everything else goes to stderr.`,
		Example: `  slipway build --plan
  slipway build --create-repositories
  slipway build --hash "$(git rev-parse --short=12 HEAD)" express`,
		RunE: func(c *cobra.Command, args []string) error {
			o.project.services = args
			return runBuild(c.Context(), w, o)
		},
	}
	o.flags(c.Flags())
	return c
}

func (o *buildOptions) flags(f *pflag.FlagSet) {
	o.project.flags(f)
	o.aws.flags(f)
	o.retention.flags(f)
	o.project.ecs.flags(f)
	o.deploy.flags(f)
	f.BoolVar(&o.rollout, "rollout", false, "deploy the images to ECS at the end, follow the deployments and verify them, as slipway rollout does")
	f.StringVar(&o.project.hash, "hash", "", "the `tag` that names this build (default: from CodeBuild, git, or the content)")
	f.StringVar(&o.project.definitionsDir, "definitions-dir", "", "`directory` to write imagedefinitions.json to (default: here)")
	f.BoolVar(&o.project.imageDetail, "image-detail", false, "write imageDetail.json too, for a blue/green deployment of one image")
	f.StringVar(&o.output, "output", "text", "form of the result on stdout: text, json, or env for variables of the hash and the revision")
	f.BoolVar(&o.plan, "plan", false, "print what would be built and stop, asking neither AWS nor an engine")
	f.BoolVar(&o.rebuild, "rebuild", false, "build even if a complete revision from the same inputs is there")
	f.BoolVar(&o.create, "create-repositories", false, "create the repositories that are missing")
	f.BoolVar(&o.noLatest, "no-latest", false, "push and tag with the hash alone: move no other tag, write no definitions")
	o.project.trust.flag(f)
	f.StringVar(&o.imageRef, "image-ref", "hash", "what imageUri names in the definitions: hash, digest or latest")
	f.StringVar(&o.artifact, "artifact", "", "s3:// `URL` to put the definitions at as a zip (default: x-slipway.artifact)")
	f.StringVar(&o.progress, "progress", "auto", "how to show the build: auto, tty, plain or quiet")
	f.StringVar(&o.cache, "cache", "", "where layers are kept for engines that have none: auto, registry (in each repository), s3://BUCKET/PREFIX, inline (in the images) or none; auto is registry, which only CodeBuild and an empty engine write (default: x-slipway.engine.cache, else auto)")
	f.StringVar(&o.project.compression, "compression", "", "compression of the layers: gzip or zstd (default: x-slipway.engine.compression, else gzip)")
	f.StringVar(&o.engine, "engine", "", "`engine` that builds: an address of BuildKit, docker, buildkitd, managed for one started for the job, or a list of PLATFORM=ENGINE (default: BUILDKIT_HOST, else the first that is there of a buildkitd, a Docker engine with the containerd store, managed, another Docker engine)")
	f.StringVar(&o.engineTLS, "engine-tls", "", "`directory` with ca.pem, cert.pem and key.pem for an engine at tcp://")
	f.StringVar(&o.engineNet, "engine-network", string(engine.NetworkAuto), "`network` of RUN steps on a managed engine: auto, bridge or host")
	f.StringVar(&o.stateDir, "engine-state", "", "`directory` that keeps the cache of the managed engine (default: /var/lib/slipway/engine for root, else slipway/engine in the user's cache directory)")
	f.IntVar(&o.jobs, "jobs", 0, "how many services to build at once (default: all)")
	f.BoolVar(&o.failFast, "fail-fast", false, "stop the other builds when one fails")
	f.IntVar(&o.pushAttempts, "push-attempts", solve.DefaultBackoff.Attempts, "how often to try a push")
	// Registered a line above, so that it is there to be hidden.
	_ = f.MarkHidden("push-attempts")
}

func runBuild(ctx context.Context, w *world, o buildOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := o.project.ecs.check(); err != nil {
		return err
	}
	p, err := makePlan(ctx, w, o.places(w))
	if err != nil {
		return err
	}
	w.learn(p.targets())
	if err := o.fromPlan(w, p); err != nil {
		return err
	}
	for _, warning := range p.warnings {
		w.log.Warn().Msg(warning)
	}
	if o.plan {
		return printPlan(w, p, o)
	}
	return runPipeline(ctx, w, o, p)
}

// check refuses values that no flag parser refuses.
func (o buildOptions) check() error {
	choices := []struct {
		flag, value string
		known       []string
	}{
		{"output", o.output, []string{"text", "json", outputEnv}},
		{"image-ref", o.imageRef, []string{"hash", "digest", "latest"}},
		{"progress", o.progress, []string{"auto", "tty", "plain", "quiet"}},
		{"compression", o.project.compression, append([]string{""}, solve.Compressions()...)},
	}
	for _, c := range choices {
		if !slices.Contains(c.known, c.value) {
			known := slices.DeleteFunc(slices.Clone(c.known), func(s string) bool { return s == "" })
			return fault.New(fault.Usage, fmt.Errorf("--%s: unknown value %q", c.flag, c.value), "use one of "+strings.Join(known, ", "))
		}
	}
	if o.cache != "" {
		if err := checkCache(o.cache); err != nil {
			return fault.New(fault.Usage, fmt.Errorf("--cache: %w", err), cacheRemedy)
		}
	}
	if o.jobs < 0 {
		return fault.New(fault.Usage, fmt.Errorf("--jobs: want 0 or more, have %d", o.jobs), "leave the flag out to build all at once")
	}
	if o.rollout && o.noLatest {
		return fault.New(fault.Usage, errors.New("--rollout and --no-latest exclude each other"), "images that latest does not point to are not deployed: leave --rollout out")
	}
	if o.plan && o.output == outputEnv {
		return fault.New(fault.Usage, errors.New("--plan and --output env exclude each other"), "only a build knows its revision: leave --plan out, or take --output json")
	}
	if err := o.deploy.check(); err != nil {
		return err
	}
	return o.retention.check()
}

// fromPlan fills in what the compose file and the environment say where no flag does.
func (o *buildOptions) fromPlan(w *world, p *plan) error {
	o.confine(p)
	if o.artifact == "" {
		o.artifact = p.settings.Artifact
	}
	if o.artifact != "" {
		if _, err := artifact.ParseS3URL(o.artifact); err != nil {
			return fault.NewInput("artifact", err.Error(), "write s3://bucket/key")
		}
	}
	o.cacheGiven = o.cache != ""
	if o.cache == "" {
		o.cache = p.settings.Cache
	}
	if o.cache == "" {
		o.cache = cacheAuto
	}
	if err := checkCache(o.cache); err != nil {
		return fault.NewInput("x-slipway.engine.cache", err.Error(), cacheRemedy)
	}
	o.withoutExports(p)
	o.engineSrc = "--engine"
	if o.engine == "" {
		o.engine, o.engineSrc = w.getenv("BUILDKIT_HOST"), "BUILDKIT_HOST"
	}
	if o.engine == "" {
		o.engine, o.engineSrc = p.settings.Engine, "x-slipway.engine.address"
	}
	options := o.engineOptions(w)
	if err := options.Check(); err != nil {
		return err
	}
	if err := o.checkCacheSecrets(options); err != nil {
		return err
	}
	if err := solve.CheckPlatforms(p.targets(), options.Platforms()); err != nil {
		return err
	}
	if err := o.checkUntrusted(p); err != nil {
		return err
	}
	if o.rollout {
		if err := p.site.check(); err != nil {
			return err
		}
	}
	if p.settings.ECS.Cluster != "" && p.settings.ECS.Service == "" {
		return fault.NewInput("x-slipway.ecs", "has a cluster but no service", "add service: NAME")
	}
	return nil
}

func (o buildOptions) engineOptions(w *world) engine.Options {
	out := engine.Options{Address: o.engine, AddressFrom: o.engineSrc, StateDir: o.stateDir, Network: engine.Network(o.engineNet), LookupEnv: w.lookupenv}
	if o.engineTLS != "" {
		out.TLS = absolute(w.dir, o.engineTLS)
	}
	return out
}
