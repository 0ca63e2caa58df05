package compose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/allow"
	"slipway/internal/fault"
	"slipway/internal/plain"
)

func inputError(where, remedy, format string, args ...any) error {
	return &fault.InputError{Where: where, Problem: plain.Sprintf(format, args...), Remedy: remedy}
}

// ErrNoProject is in the error of Load when there is neither a compose file nor a Dockerfile.
var ErrNoProject = errors.New("no compose file and no Dockerfile here")

// ErrNoName is in the error of Load when a name for the project cannot be derived.
var ErrNoName = errors.New("the directory's name makes no project name")

// FilesError says that the compose files cannot be found or opened.
type FilesError struct{ Err error }

// Error returns the text of the cause.
func (e *FilesError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *FilesError) Unwrap() error { return e.Err }

// Options say where the project is, in the words of docker compose.
type Options struct {
	// Files are the compose files, merged in order; empty means COMPOSE_FILE or the default names.
	Files []string
	// EnvFiles replace the project's .env file; empty means COMPOSE_ENV_FILES.
	EnvFiles []string
	// Profiles are switched on; empty means those of COMPOSE_PROFILES.
	Profiles []string
	// Dir is the project directory; empty means the first file's. Files are searched from
	// there, or from the working directory.
	Dir string
	// Name is the project's name; empty means what compose derives.
	Name string
	// Environ is the environment that variables are taken from, as KEY=VALUE.
	Environ []string
	// Lone is the name of the single service when there is a Dockerfile but no compose file.
	Lone string
	// LoneFrom, EnvFilesFrom and NameFrom say where Lone, EnvFiles and Name were
	// given, for messages.
	LoneFrom, EnvFilesFrom, NameFrom string
	// Home is the user's home directory: a clone that is all of it does not
	// belong to a project alone.
	Home string
	// Limit is how long loading may take; 0 means 2 minutes.
	Limit time.Duration
	// Wanted takes what the project asks to read beyond its own files; nil lets it.
	Wanted *allow.Wanted
	// Warn receives sentences for the user; nil drops them.
	Warn func(string)
}

// Load reads the compose project as docker compose would: default file names (parent
// directories included), overrides, .env, profiles, extends, include and interpolation
// with the environment. Without a compose file, a Dockerfile in the directory is a
// project of one service. Errors in the files are *InputError.
func Load(ctx context.Context, o Options) (*types.Project, error) { return boundedLoad(ctx, o) }

func load(ctx context.Context, o Options) (*types.Project, error) {
	o.Environ = o.Wanted.Visible(o.Environ)
	guard := &checked{ctx: ctx, seen: map[string]bool{}}
	opts, err := cli.NewProjectOptions(o.Files, projectOptions(o, guard)...)
	if err != nil {
		if input := (*fault.InputError)(nil); errors.As(err, &input) {
			return nil, input
		}
		err = unquoted(err)
		return nil, &fault.InputError{Where: "compose project", Err: &FilesError{err}, Remedy: optionsRemedy(err)}
	}
	project, err := loadFiles(ctx, o, opts, guard)
	if err != nil {
		return nil, err
	}
	warnOfLate(o, opts)
	if err := mergeBake(project); err != nil {
		return nil, err
	}
	return project, applyVariables(project)
}

// loadFiles loads the compose files, or the Dockerfile if there are none.
func loadFiles(ctx context.Context, o Options, opts *cli.ProjectOptions, guard *checked) (*types.Project, error) {
	if len(opts.ConfigPaths) == 0 {
		return lone(ctx, o, opts.Environment)
	}
	if err := guard.begin(opts); err != nil {
		return nil, err
	}
	project, err := opts.LoadProject(ctx)
	if err != nil {
		return nil, loadError(ctx, opts.ConfigPaths, err)
	}
	return project, nil
}

func projectOptions(o Options, guard *checked) []cli.ProjectOptionsFn {
	b := &boundary{wanted: o.Wanted, home: o.Home}
	fns := []cli.ProjectOptionsFn{
		cli.WithWorkingDirectory(o.Dir),
		cli.WithEnv(o.Environ),
		b.own(o),
		b.envFiles(o),
		checkEnvFiles(o),
		cli.WithDotEnv,
		composeFileEnv,
		cli.WithDefaultConfigPath,
		projectDirectory(o),
		b.own(o),
		b.configFiles(o),
		// Once more: the default .env is next to the file that was found just
		// now.
		b.envFiles(o),
		checkEnvFiles(o),
		cli.WithDotEnv,
		cli.WithDefaultProfiles(o.Profiles...),
		checkName(o),
		cli.WithName(o.Name),
		// env_file and label_file belong to the run, not to the build: a
		// missing one on the build host is not an error.
		cli.WithoutEnvironmentResolution,
		cli.WithoutLabelsResolution,
		cli.WithResourceLoader(guard),
		cli.WithLoadOptions(b.watch),
	}
	return fns
}

// hasDockerfile reports whether a directory has a Dockerfile of a name that
// BuildKit finds by itself.
func hasDockerfile(dir string) bool {
	for _, name := range []string{"Dockerfile", "dockerfile"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

// serviceName is the pattern of the compose specification's schema.
var serviceName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// lone is the project of a directory that has a Dockerfile and no compose file.
func lone(ctx context.Context, o Options, environment types.Mapping) (*types.Project, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("project directory: %w", err)
	}
	if err := checkDirectory(dir); err != nil {
		return nil, err
	}
	if !hasDockerfile(dir) {
		return nil, &fault.InputError{Where: dir, Err: ErrNoProject}
	}
	o.Wanted.Own(dir, o.Home)
	service := o.Lone
	if service == "" {
		service = "api"
	}
	if !serviceName.MatchString(service) {
		return nil, inputError(o.LoneFrom, "use letters, digits and . _ -", "%q is not a valid service name", service)
	}
	name := cmp.Or(o.Name, environment[consts.ComposeProjectName])
	if name == "" {
		name = loader.NormalizeProjectName(filepath.Base(dir))
	}
	if name == "" {
		return nil, &fault.InputError{Where: dir, Err: ErrNoName}
	}
	return loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir:  dir,
		Environment: environment,
		ConfigFiles: []types.ConfigFile{{
			Filename: filepath.Join(dir, "compose.yaml"),
			Config: map[string]any{
				"services": map[string]any{service: map[string]any{"build": map[string]any{"context": dir}}},
			},
		}},
	}, func(lo *loader.Options) { lo.SetProjectName(name, true) })
}
