package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"slipway/artifact"
	"slipway/buildspec"
	"slipway/cmd/check"
	"slipway/cmd/hint"
	"slipway/internal/bounded"
	"slipway/internal/fault"
	"slipway/project"
)

// buildspecOptions are the flags of `slipway buildspec`.
type buildspecOptions struct {
	installURL, installSHA256 string
	file                      string
	force                     bool
	check                     string
	output                    string
	// build are the arguments for `slipway build`.
	build []string
}

func newBuildspecCommand(w *cli) *cobra.Command {
	var o buildspecOptions
	c := &cobra.Command{
		Use:   "buildspec [flags] [-- BUILD-ARGUMENTS...]",
		Short: "Write the buildspec.yml of a CodeBuild job that calls slipway, or check one",
		Long: `Writes a buildspec for CodeBuild, version 0.2: it installs a pinned slipway, calls
"slipway build" in the build phase, exports SLIPWAY_HASH and SLIPWAY_REVISION for later
pipeline actions, and lists the definitions that the build writes as artifacts. The
arguments after -- are passed to slipway build.

Run it in the directory that is the job's source, for the artifacts are named relative to
it. Without --install-url, slipway is expected in the build image. --install-url names the
program, or a .tar.gz with slipway, buildkitd and runc. It must be built for the project's
compute type, amd64 or arm64.

With --check, slipway reads an existing buildspec instead. It reports each setting that is
dangerous or would break a build, with its line and a remedy. It recognises the buildspec
that Amplify generates. The exit code is 1 if anything was found.`,
		Example: `  slipway buildspec --output-file buildspec.yml
  slipway buildspec --install-url s3://tools/slipway.tar.gz --install-sha256 "$(sha256sum <slipway.tar.gz | cut -c -64)"
  slipway buildspec -- --create-repositories --rollout
  slipway buildspec --check buildspec.yml`,
		Args: func(c *cobra.Command, args []string) error {
			if at := c.ArgsLenAtDash(); len(args) > 0 && at != 0 {
				return fmt.Errorf("unknown argument %q: write the arguments of slipway build after --", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.build = args
			return runBuildspec(c.Context(), w, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.installURL, "install-url", "", "https:// or s3:// `URL` of the slipway to install (default: in the build image)")
	f.StringVar(&o.installSHA256, "install-sha256", "", "SHA-256 `checksum` of the file at --install-url, verified in the job")
	f.StringVar(&o.file, "output-file", "", "`file` to write instead of stdout")
	f.BoolVar(&o.force, "force", false, "overwrite a file that has different content")
	f.StringVar(&o.check, "check", "", "`file` to check; nothing is written")
	f.StringVar(&o.output, "output", "text", "form of the result of --check on stdout: text or json")
	c.AddCommand(newIAMCommand(w))
	return c
}

func runBuildspec(ctx context.Context, w *cli, o buildspecOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	if o.check != "" {
		return checkBuildspec(ctx, w, o)
	}
	spec, err := o.spec(ctx, w)
	if err != nil {
		return err
	}
	text, err := spec.YAML()
	if err != nil {
		return err
	}
	if o.file == "" {
		return writeDocument(w.stdout, text)
	}
	return o.write(ctx, w, text)
}

func (o buildspecOptions) validate() error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	if o.check != "" && (o.file != "" || o.installURL != "" || o.installSHA256 != "" || len(o.build) > 0) {
		return fault.New(fault.Usage, errors.New("--check reads a buildspec, the other flags and arguments are about writing one"), "give --check FILE alone")
	}
	if o.force && o.file == "" {
		return fault.New(fault.Usage, errors.New("--force is given without --output-file"), "name the file: --output-file buildspec.yml")
	}
	install := buildspec.Download{URL: o.installURL, SHA256: o.installSHA256}
	if install == (buildspec.Download{}) {
		return nil
	}
	err := install.Check()
	var bad *buildspec.InstallError
	if errors.As(err, &bad) {
		flag := map[string]string{"URL": "--install-url", "SHA256": "--install-sha256"}[bad.Field]
		return fault.New(fault.Usage, fmt.Errorf("%s: %w", flag, err), bad.Hint())
	}
	return err
}

// spec plans the build, as the job will, for the files that it leaves behind.
func (o buildspecOptions) spec(ctx context.Context, w *cli) (buildspec.Spec, error) {
	b, err := parseBuild(o.build)
	if err != nil {
		return buildspec.Spec{}, err
	}
	if !b.project.Trust.Given {
		b.project.Trust.Given = true // this environment is not the job's
	}
	b.project.Unasked = true // the job cannot ask either
	b.project.NameKnown = true
	p, err := project.NewPlan(ctx, &w.Host, b.places(w))
	if err != nil {
		return buildspec.Spec{}, err
	}
	if b.Options, err = b.complete(w, p); err != nil {
		return buildspec.Spec{}, err
	}
	out := buildspec.Spec{Args: o.build}
	if p.Untrusted.Yes() && b.project.Name == "" {
		out.Args = append(slices.Clone(out.Args), "--project-name", p.Project)
	}
	if o.installURL != "" {
		out.Install = &buildspec.Download{URL: o.installURL, SHA256: o.installSHA256}
	}
	if b.NoLatest {
		return out, nil // no definitions
	}
	for _, path := range p.Outputs {
		rel, err := filepath.Rel(w.Dir, path)
		if err != nil || !filepath.IsLocal(rel) {
			return buildspec.Spec{}, fault.New(fault.Usage, fmt.Errorf("--definitions-dir: %s lies outside the source's directory %s, where CodeBuild takes no artifact from", path, w.Dir), "run slipway buildspec in the directory that is the job's source, or name a directory below it")
		}
		if err := buildspec.CheckFile(filepath.ToSlash(rel)); err != nil {
			return buildspec.Spec{}, fault.New(fault.Usage, fmt.Errorf("--definitions-dir: %w", err), "name a directory whose path has letters, digits and . _ @ + = , / - only")
		}
		out.Files = append(out.Files, filepath.ToSlash(rel))
	}
	slices.Sort(out.Files)
	return out, nil
}

// parseBuild reads arguments of `slipway build` as it would, the environment's left out:
// it is not the job's.
func parseBuild(args []string) (buildOptions, error) {
	var o buildOptions
	f := pflag.NewFlagSet("build", pflag.ContinueOnError)
	f.Usage = func() {}
	o.flags(f)
	refuse := func(err error, advice string) (buildOptions, error) {
		return o, fault.New(fault.Usage, fmt.Errorf("arguments of slipway build: %w", err), advice)
	}
	if err := f.Parse(args); err != nil {
		return refuse(err, "`slipway build --help` lists the flags")
	}
	if o.dryRun {
		return refuse(errors.New("--dry-run is not for a job: it builds nothing"), "leave it out")
	}
	if f.Changed("output") || o.plan {
		return refuse(errors.New("--output and --plan are not for a job: its buildspec reads --output env"), "leave them out")
	}
	if err := o.check(); err != nil {
		return refuse(err, hint.Of(err))
	}
	o.project.Services = f.Args()
	return o, check.ECS(o.project.ECS)
}

// write puts the buildspec into a file, but not over what somebody wrote there.
func (o buildspecOptions) write(ctx context.Context, w *cli, text []byte) error {
	path := project.Absolute(w.Dir, o.file)
	old, err := bounded.ReadFile(ctx, path, maxBuildspec)
	switch {
	case err == nil && !o.force && !bytes.Equal(old, text):
		return fault.New(fault.Usage, fmt.Errorf("--output-file: %s already exists with different content", o.file), "run `slipway buildspec --check "+o.file+"` to check it, or overwrite it with `--force`")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fault.New(fault.Usage, fmt.Errorf("--output-file: %w", err), "name a file in a directory that is there")
	}
	written, err := artifact.WriteFile(path, text)
	if err != nil {
		return fault.New(fault.Usage, fmt.Errorf("--output-file: %w", err), "name a file in a directory that is there and may be written")
	}
	if !written {
		w.Infof("left as it is: %s", o.file)
		return nil
	}
	w.Infof("wrote %s; the CodeBuild project needs privileged mode", o.file)
	return nil
}
