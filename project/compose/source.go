package compose

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/fault"
)

// composeFileEnv takes the relative paths in COMPOSE_FILE from the directory that the
// search begins in, where compose-go would take this process's.
func composeFileEnv(o *cli.ProjectOptions) error {
	list := o.Environment[consts.ComposeFilePath]
	if list == "" || o.WorkingDir == "" || len(o.ConfigPaths) > 0 {
		return nil
	}
	sep := cmp.Or(o.Environment[consts.ComposePathSeparator], string(os.PathListSeparator))
	for f := range strings.SplitSeq(list, sep) {
		if !filepath.IsAbs(f) {
			f = filepath.Join(o.WorkingDir, f)
		}
		if _, err := os.Stat(f); err != nil {
			return inputError(consts.ComposeFilePath, "correct the variable", "%v", err)
		}
		o.ConfigPaths = append(o.ConfigPaths, f)
	}
	return nil
}

// projectDirectory makes the directory of files that were searched for the project's:
// paths in a file that was found in a parent directory start there.
func projectDirectory(o Options) cli.ProjectOptionsFn {
	return func(p *cli.ProjectOptions) error {
		if len(o.Files) == 0 && len(p.ConfigPaths) > 0 {
			p.WorkingDir = filepath.Dir(p.ConfigPaths[0])
		}
		return nil
	}
}

// loadError makes an *InputError of what the loader says, and names the file where the
// loader names none.
func loadError(ctx context.Context, files []string, err error) error {
	var input *fault.InputError
	if errors.As(err, &input) {
		return input
	}
	err = unquoted(err)
	out := &fault.InputError{Err: err, Remedy: "`docker compose config` checks a compose file by the same rules"}
	named := func(file string) bool { return strings.Contains(err.Error(), file) }
	if !slices.ContainsFunc(files, named) {
		out.Where = guilty(ctx, files)
	}
	return out
}

// guilty names the files that the error can come from: the one that is not
// YAML, else all.
func guilty(ctx context.Context, files []string) string {
	for _, f := range files {
		if broken := parse(ctx, f); broken != nil {
			return f
		}
	}
	return strings.Join(files, ", ")
}

// parse reads one file as YAML and looks no further.
func parse(ctx context.Context, file string) error {
	_, err := loader.LoadModelWithContext(ctx, types.ConfigDetails{ConfigFiles: []types.ConfigFile{{Filename: file}}}, func(o *loader.Options) {
		o.SkipValidation, o.SkipInterpolation, o.SkipNormalization = true, true, true
		o.SkipConsistencyCheck, o.SkipInclude, o.SkipExtends = true, true, true
		o.SetProjectName("any", true)
	})
	return err
}

// noRemotes refuses what compose-go would otherwise take for a strange file name:
// compose files to be fetched from elsewhere, which could name any build context.
type noRemotes struct{}

// Accept reports whether a path is a remote resource, by the forms that docker
// compose knows.
func (noRemotes) Accept(path string) bool {
	return strings.HasPrefix(path, "oci:") || strings.HasPrefix(path, "git@") || strings.HasPrefix(path, "github.com/") || strings.Contains(path, "://")
}

// Load refuses.
func (noRemotes) Load(_ context.Context, path string) (string, error) {
	return "", inputError(path, "fetch the file first and name it by its path", "compose files are not fetched from elsewhere")
}

// Dir is never asked for, since nothing is loaded.
func (noRemotes) Dir(path string) string { return path }
