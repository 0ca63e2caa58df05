package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"slipway/artifact"
	"slipway/build"
	"slipway/build/engine"
	"slipway/build/solve"
	"slipway/build/target"
	"slipway/cmd/before"
	"slipway/cmd/check"
	"slipway/internal/awsclient"
	"slipway/internal/fault"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/retention"
	"slipway/rollout"
)

// buildOptions are the flags of `slipway build`.
type buildOptions struct {
	build.Options
	project  projectFlags
	aws      awsOptions
	output   string
	plan     bool
	dryRun   bool
	progress string
	adopt    bool
	// createService creates ECS services that do not exist.
	createService bool
	rollout       bool
	deploy        rollout.Options
	// engine, engineTLS, engineNetwork and engineState are the flags from which
	// Options.Engine is made.
	engine, engineTLS, engineNetwork, engineState string
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

// addRetentionFlags adds the flags of the 7-day policies.
func addRetentionFlags(f *pflag.FlagSet, o *retention.Options) {
	f.IntVar(&o.Days, "retention-days", 7, "`days` after its push at which an image may expire")
	f.BoolVar(&o.Replace, "replace-policy", false, "overwrite lifecycle rules of others that conflict with slipway's")
}

// checkRetention refuses days that are none.
func checkRetention(o retention.Options) error {
	if o.Days < 1 || o.Days > maxRetention {
		return fault.New(fault.Usage, fmt.Errorf("--retention-days: want 1 to %d, have %d", maxRetention, o.Days), "leave the flag out for 7 days")
	}
	return nil
}

// maxRetention is a hundred years: what is longer is a slip of the hand, and S3 counts in
// 32 bits.
const maxRetention = 36500

// buildHelp is the long help of build.
const buildHelp = `Builds the services of the compose file that have a build section, pushes each image
to its ECR repository by digest, and when all are there tags them with the hash, moves
protecting tags and latest, and writes imagedefinitions.json. If anything fails before that, no
tag moves anywhere. With x-slipway.task in the compose file, it writes the task
definitions too, to taskdefinition.json; see slipway task. With --rollout, --create-service
creates ECS services that do not exist; see slipway rollout.

A build of a pull request is untrusted. Slipway recognizes one in CodeBuild; elsewhere,
give --untrusted. Its revision is called prN-HASH or untrusted-HASH. It moves no tag that
exists, and writes no lifecycle policy and no layer cache that others read. No trusted
build uses its images. --untrusted=false declares the source trusted.

If another job has made a revision meanwhile whose commit contains this one's, this build
keeps its hash, leaves latest and deploys nothing. --force moves latest all the same.

With SERVICE arguments, slipway builds those services and the services they are linked to.
In the other repositories, the image that latest points to gets the hash as well, so that
every revision is complete.

--engine names the BuildKit engine: an address of BuildKit, docker, buildkitd, or managed
for one that slipway starts for the job. ADDRESS|ADDRESS is a pool: a service always goes to
the same engine, and to another one if that does not answer. PLATFORM=ENGINE,… gives each
platform an engine or a pool. The default is BUILDKIT_HOST, else the first engine of these:
a buildkitd, a Docker engine with the containerd image store, a managed engine, another
Docker engine. --engine-state is the directory with the cache of a managed engine, by default
/var/lib/slipway/engine for root, else slipway/engine in the user's cache directory.

--cache is the place of the layers for engines that keep none: registry (in each
repository), s3://BUCKET/PREFIX, inline (in the images) or none. auto is registry, which
only CodeBuild and an empty engine write. The default is x-slipway.engine.cache, else auto.

--reproducible gives files in the layers above the base image a time of at most 1980, or
that of SOURCE_DATE_EPOCH. It leaves out attestations. A step must write the same bytes each
time. The default is x-slipway.engine.reproducible.

--mirror pulls base images from copies: with docker.io=HOST/PREFIX, alpine:3 comes from
HOST/PREFIX/library/alpine:3. HOST may be ECR with a pull through cache rule; Slipway logs in.
If a copy is missing, the image comes from its own registry, with a warning. The default is
x-slipway.engine.mirrors.

--dry-run asks AWS and the registries what a build asks, and prints on stdout which services
would be built and why. It starts no engine and writes nothing. With --output json,
pipelines can build the changed services in parallel.

The result goes to stdout, one line for each service: its name, repository:hash, and the
digest. --output env prints shell variables with the hash and the revision instead.
Everything else goes to stderr.`

func newBuildCommand(w *cli) *cobra.Command {
	var o buildOptions
	c := &cobra.Command{
		Use:   "build [SERVICE...]",
		Short: "Build the services, push them by digest, tag them all or nothing, write the definitions",
		Long:  buildHelp,
		Example: `  slipway build --plan
  slipway build --dry-run
  slipway build --create-repositories
  slipway build --create-repositories --rollout --create-service
  slipway build --hash "$(git rev-parse --short=12 HEAD)" express`,
		RunE: func(c *cobra.Command, args []string) error {
			o.project.Services = args
			return runBuild(c.Context(), w, o)
		},
	}
	o.flags(c.Flags())
	return c
}

func (o *buildOptions) flags(f *pflag.FlagSet) {
	o.project.flags(f)
	o.aws.flags(f)
	addRetentionFlags(f, &o.Retention)
	addECSFlags(f, &o.project.ECS)
	addDeployFlags(f, &o.deploy)
	addSettingsFlags(f, &o.adopt, &o.createService)
	before.AddFlag(f, &o.deploy)
	f.BoolVar(&o.rollout, "rollout", false, "deploy the images to ECS, wait for the deployments and verify them")
	f.StringVar(&o.project.Hash, "hash", "", "the `tag` that names this build (default: from CodeBuild, git, or the content)")
	f.StringVar(&o.project.DefinitionsDir, "definitions-dir", "", "`directory` to write imagedefinitions.json to (default: here)")
	f.BoolVar(&o.project.ImageDetail, "image-detail", false, "write imageDetail.json too, for a blue/green deployment of one image")
	f.StringVar(&o.output, "output", "text", "form of the result on stdout: text, json, or env for shell variables")
	f.BoolVar(&o.plan, "plan", false, "print the build plan and stop, with no request to AWS or an engine")
	f.BoolVar(&o.dryRun, "dry-run", false, "print which services would be built and why; write nothing, start no engine")
	f.BoolVar(&o.Rebuild, "rebuild", false, "build every service, though its image is there already")
	f.BoolVar(&o.Force, "force", false, "move latest although another job made a revision of a later commit meanwhile")
	f.BoolVar(&o.Create, "create-repositories", false, "create the missing repositories")
	f.BoolVar(&o.NoLatest, "no-latest", false, "push and tag with the hash alone: move no other tag, write no definitions")
	o.project.untrustedFlag(f)
	f.StringVar(&o.ImageRef, "image-ref", "hash", "form of imageUri in the definitions: hash, digest or latest")
	f.StringVar(&o.Artifact, "artifact", "", "s3:// `URL` to put the definitions at as a zip (default: x-slipway.artifact)")
	f.StringVar(&o.progress, "progress", "auto", "how to show the build: auto, tty, plain or quiet")
	f.StringVar(&o.Cache, "cache", "", "layer cache: auto, registry, s3://BUCKET/PREFIX, inline or none (default: auto)")
	f.StringVar(&o.project.Compression, "compression", "", "layer compression: gzip or zstd (default: x-slipway.engine.compression, gzip)")
	addOptionalBool(f, &o.project.Reproducible, "reproducible", "leave the time of the build out of images: two cold builds give one digest")
	f.StringSliceVar(&o.project.Mirrors, "mirror", nil, "pull images from copies, as `REGISTRY=HOST/PREFIX`; repeat for several registries")
	f.StringVar(&o.engine, "engine", "", "BuildKit `engine`: an address, docker, buildkitd, managed, A|B, PLATFORM=ENGINE")
	f.StringVar(&o.engineTLS, "engine-tls", "", "`directory` with ca.pem, cert.pem and key.pem for an engine at tcp://")
	f.StringVar(&o.engineNetwork, "engine-network", string(engine.NetworkAuto), "`network` of RUN steps on a managed engine: auto, bridge or host")
	f.StringVar(&o.engineState, "engine-state", "", "`directory` with the cache of the managed engine")
	f.IntVar(&o.Jobs, "jobs", 0, "how many services to build at once (default: all)")
	f.BoolVar(&o.FailFast, "fail-fast", false, "stop the other builds when one fails")
	f.IntVar(&o.PushAttempts, "push-attempts", solve.DefaultBackoff.Attempts, "how often to try a push")
	// Registered a line above, so that it is there to be hidden.
	_ = f.MarkHidden("push-attempts")
}

func runBuild(ctx context.Context, w *cli, o buildOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := check.ECS(o.project.ECS); err != nil {
		return err
	}
	var aws func() (*awsclient.Clients, error)
	if !o.plan {
		var stop func()
		aws, stop = openEarly(ctx, w, o.aws)
		defer stop()
	}
	p, err := project.NewPlan(ctx, &w.Host, o.places(w))
	if err != nil {
		return err
	}
	build.LearnSecrets(w.Secrets, p.Targets())
	if o.Options, err = o.complete(w, p); err != nil {
		return err
	}
	for _, warning := range p.Warnings {
		w.Warnf("%s", warning)
	}
	if o.plan {
		return printPlan(w, p, o)
	}
	if o.dryRun {
		return runDry(ctx, w, o, p, aws)
	}
	return runPlan(ctx, w, o, p, aws)
}

// runPlan builds what was planned, prints the result, and deploys it if it was asked to.
// Retention is seen to last, when all of that has succeeded.
func runPlan(ctx context.Context, w *cli, o buildOptions, p *project.Plan, opened func() (*awsclient.Clients, error)) error {
	w.jobLog.About(p.Hash.Name)
	w.Infof("%s: %s to build as %s (%s)", p.Project, phrase.Count(len(p.Targets()), "service"), p.Hash.Name, p.Hash.Detail)
	if err := o.CheckState(&w.Host, p); err != nil {
		return err
	}
	aws, err := opened()
	if err != nil {
		return err
	}
	r := &buildRollout{w: w, o: o, aws: aws, plan: p}
	h := build.Hooks{
		Display: func(targets []target.Target) build.Display {
			return w.builds(o.progress, targets)
		},
		Running: func(ctx context.Context, components []*build.Component) (map[registry.Ref]string, revisions.Live) {
			return runningImages(ctx, &w.Host, aws, p, components)
		},
	}
	if o.rollout {
		h.Check = r.check
		if len(rollout.BeforeOf(p.TaskFiles)) > 0 {
			h.Pushed = r.before
		}
	}
	released, err := build.Run(ctx, &w.Host, aws, o.Options, p, h)
	if err != nil {
		return err
	}
	defer released.Close()
	rows, err := printRelease(ctx, w, o, p, aws, released)
	if err != nil {
		return err
	}
	if o.rollout {
		if err := r.run(ctx, released, rows); err != nil {
			return err
		}
	}
	released.Retain(ctx)
	return nil
}

// check refuses values that no flag parser refuses.
func (o buildOptions) check() error {
	choices := []struct {
		flag, value string
		known       []string
	}{
		{"output", o.output, []string{"text", "json", outputEnv}},
		{"image-ref", o.ImageRef, []string{"hash", "digest", "latest"}},
		{"progress", o.progress, []string{"auto", "tty", "plain", "quiet"}},
		{"compression", o.project.Compression, append([]string{""}, target.Compressions()...)},
	}
	for _, c := range choices {
		if !slices.Contains(c.known, c.value) {
			known := slices.DeleteFunc(slices.Clone(c.known), func(s string) bool { return s == "" })
			return fault.New(fault.Usage, fmt.Errorf("--%s: unknown value %q", c.flag, c.value), "use one of "+strings.Join(known, ", "))
		}
	}
	if o.Cache != "" {
		if err := project.CheckCache(o.Cache); err != nil {
			return fault.New(fault.Usage, fmt.Errorf("--cache: %w", err), project.CacheHint)
		}
	}
	if o.Jobs < 0 {
		return fault.New(fault.Usage, fmt.Errorf("--jobs: want 0 or more, have %d", o.Jobs), "leave the flag out to build all at once")
	}
	if o.createService && !o.rollout {
		return fault.New(fault.Usage, errors.New("--create-service goes with --rollout"), "give --rollout, too: the service is created with the images of the build")
	}
	if o.adopt && !o.rollout {
		return fault.New(fault.Usage, errors.New("--adopt goes with --rollout"), "give --rollout, too, or give --adopt to `slipway rollout`: a build alone takes no task definition over")
	}
	if o.rollout && o.NoLatest {
		return fault.New(fault.Usage, errors.New("--rollout and --no-latest exclude each other"), "images that latest does not point to are not deployed: leave --rollout out")
	}
	if o.plan && o.output == outputEnv {
		return fault.New(fault.Usage, errors.New("--plan and --output env exclude each other"), "only a build knows its revision: leave --plan out, or take --output json")
	}
	if err := o.checkDryRun(); err != nil {
		return err
	}
	if err := before.Check(o.deploy); err != nil {
		return err
	}
	if err := checkDeploy(o.deploy); err != nil {
		return err
	}
	return checkRetention(o.Retention)
}

// checkDryRun refuses what a dry run does not do.
func (o buildOptions) checkDryRun() error {
	if !o.dryRun {
		return nil
	}
	refuse := func(flag, advice string) error {
		return fault.New(fault.Usage, errors.New("--dry-run and "+flag+" exclude each other"), advice)
	}
	switch {
	case o.rollout:
		return refuse("--rollout", "a dry run deploys nothing: leave --rollout out")
	case o.plan:
		return refuse("--plan", "--plan asks no registry; leave one of them out")
	case o.output == outputEnv:
		return refuse("--output env", "only a build knows its revision: leave --dry-run out, or use --output json")
	}
	return nil
}

// complete returns the options of a build: the flags, and what the plan and the
// environment say where no flag does. It changes neither the flags nor the plan. On
// an error, the options are complete as far as they can be.
func (o buildOptions) complete(w *cli, p *project.Plan) (build.Options, error) {
	out := o.Options
	out.NoLatest = o.NoLatest || p.Untrusted.Yes()
	out.Artifact = cmp.Or(o.Artifact, p.Settings.Artifact)
	if out.Artifact != "" {
		if _, err := artifact.ParseS3URL(out.Artifact); err != nil {
			return out, fault.NewInput("artifact", err.Error(), "write s3://bucket/key")
		}
	}
	out.CacheGiven = o.Cache != ""
	out.Cache = cmp.Or(o.Cache, p.Settings.Cache, project.CacheAuto)
	if err := project.CheckCache(out.Cache); err != nil {
		return out, fault.NewInput("x-slipway.engine.cache", err.Error(), project.CacheHint)
	}
	out.Engine = o.engineOptions(w, p)
	if err := out.Engine.Check(); err != nil {
		return out, err
	}
	if err := out.CheckCacheSecrets(); err != nil {
		return out, err
	}
	if err := solve.CheckPlatforms(p.Targets(), out.Engine.Platforms()); err != nil {
		return out, err
	}
	return out, cmp.Or(o.checkUntrusted(p), o.checkServices(p))
}

// engineOptions say where the engine may be: a flag, the environment or the compose
// file.
func (o buildOptions) engineOptions(w *cli, p *project.Plan) engine.Options {
	out := engine.Options{
		Address: o.engine, AddressFrom: "--engine",
		TLSFrom: "--engine-tls", NetworkFrom: "--engine-network", Network: engine.Network(o.engineNetwork),
		StateDir: o.engineState, LookupEnv: w.LookupEnv,
	}
	if out.Address == "" {
		out.Address, out.AddressFrom = w.Getenv("BUILDKIT_HOST"), "BUILDKIT_HOST"
	}
	if out.Address == "" {
		out.Address, out.AddressFrom = p.Settings.Engine, "x-slipway.engine.address"
	}
	if o.engineTLS != "" {
		out.TLS = project.Absolute(w.Dir, o.engineTLS)
	}
	return out
}

// checkServices refuses ECS services that the build could not name.
func (o buildOptions) checkServices(p *project.Plan) error {
	if o.rollout {
		if err := p.ECS.Check(); err != nil {
			return err
		}
	}
	if p.Settings.ECS.Cluster != "" && p.Settings.ECS.Service == "" {
		return fault.NewInput("x-slipway.ecs", "has a cluster but no service", "add service: NAME")
	}
	return nil
}
