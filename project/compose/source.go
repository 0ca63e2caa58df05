package compose

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/fault"
)

// projectDirectory makes the directory of the first file the project's, where no flag
// names the files: paths in a file that was found in a parent directory start there. A
// directory that is given stays the project's for the files of COMPOSE_FILE.
func projectDirectory(o Options) cli.ProjectOptionsFn {
	return func(p *cli.ProjectOptions) error {
		given := o.Dir != "" && p.Environment[consts.ComposeFilePath] != ""
		if len(o.Files) == 0 && len(p.ConfigPaths) > 0 && !given {
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
	if text := err.Error(); noKey.MatchString(text) {
		err = errors.New(noKey.ReplaceAllString(text, "$1 is not a key of compose files"))
	}
	out := &fault.InputError{Err: err, Remedy: loadRemedy(err)}
	named := func(file string) bool { return strings.Contains(err.Error(), file) }
	if !slices.ContainsFunc(files, named) {
		out.Where = guilty(ctx, files)
	}
	return out
}

// noKey is how the loader's schema refuses a key below services.
var noKey = regexp.MustCompile(`(\S+) false schema`)

// loadRemedy returns the remedy for an error of the loader.
func loadRemedy(err error) string {
	if m := missingVariable.FindStringSubmatch(err.Error()); m != nil {
		return "set " + m[1] + " in the environment or in .env"
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "create the file or correct the path"
	}
	return "`docker compose config` checks a compose file by the same rules"
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
