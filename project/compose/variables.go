package compose

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/platforms"

	"slipway/internal/plain"
)

// The variables that docker compose and buildx honour themselves, not compose-go
// ("Configure pre-defined environment variables" in the manual of docker compose,
// "Build variables" in that of docker build).
const (
	composeEnvFiles       = "COMPOSE_ENV_FILES"
	dockerDefaultPlatform = "DOCKER_DEFAULT_PLATFORM"
	sourceDateEpoch       = "SOURCE_DATE_EPOCH"
)

// lookup returns the value of a variable in an environment of KEY=VALUE lines,
// of which the last counts, and reports whether it is there.
func lookup(environ []string, name string) (string, bool) {
	for _, kv := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// set reports whether a variable is in an environment of KEY=VALUE lines.
func set(environ []string, name string) bool {
	_, ok := lookup(environ, name)
	return ok
}

// composeFileEnv reads COMPOSE_FILE. Relative paths start at the directory that
// the search begins in.
func composeFileEnv(o *cli.ProjectOptions) error {
	list := o.Environment[consts.ComposeFilePath]
	if list == "" || len(o.ConfigPaths) > 0 {
		return nil
	}
	dir, err := o.GetWorkingDir()
	if err != nil {
		return err
	}
	sep := cmp.Or(o.Environment[consts.ComposePathSeparator], string(os.PathListSeparator))
	for f := range strings.SplitSeq(list, sep) {
		path, err := composeFileEntry(dir, f)
		if err != nil {
			return inputError(consts.ComposeFilePath, "correct the variable", "%v", err)
		}
		o.ConfigPaths = append(o.ConfigPaths, path)
	}
	return nil
}

// composeFileEntry returns the path of one file in COMPOSE_FILE.
func composeFileEntry(dir, entry string) (string, error) {
	if entry == "" {
		return "", errors.New("an entry is empty")
	}
	if !filepath.IsAbs(entry) {
		entry = filepath.Join(dir, entry)
	}
	info, err := os.Stat(entry)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory", entry)
	}
	return entry, err
}

// chosenEnvFiles are the env files that the operator names, which replace .env, and
// the flag or the variable that names them. docker compose reads the variable in the
// environment only.
func chosenEnvFiles(o Options) (files []string, from string) {
	if len(o.EnvFiles) > 0 {
		return o.EnvFiles, o.EnvFilesFrom
	}
	list, _ := lookup(o.Environ, composeEnvFiles)
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' }), composeEnvFiles
}

// checkChosen refuses env files that are not there.
func checkChosen(files []string, from string) error {
	for _, path := range files {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return inputError(from, "correct the path, or leave the file out", "no such file %s", path)
		}
	}
	return nil
}

// withoutDotEnv reports whether COMPOSE_DISABLE_ENV_FILE leaves the default .env out.
func withoutDotEnv(o Options) (bool, error) {
	text, ok := lookup(o.Environ, consts.ComposeDisableDefaultEnvFile)
	if !ok || text == "" {
		return false, nil
	}
	disabled, err := strconv.ParseBool(text)
	if err != nil {
		return false, inputError(consts.ComposeDisableDefaultEnvFile, "set it to true or false",
			"%q is not a boolean", text)
	}
	return disabled, nil
}

// warnOfLate warns of variables in an env file that count in the environment only.
func warnOfLate(o Options, p *cli.ProjectOptions) {
	if o.Warn == nil {
		return
	}
	for _, name := range []string{composeEnvFiles, consts.ComposeDisableDefaultEnvFile} {
		if _, ok := p.Environment[name]; ok && !set(o.Environ, name) {
			o.Warn(plain.Sprintf("%s has no effect in %s: set it in the environment", name, cmp.Or(strings.Join(p.EnvFiles, ", "), dotEnv)))
		}
	}
}

// checkName refuses a name that is not a project's, and says where it comes from.
func checkName(o Options) cli.ProjectOptionsFn {
	return func(p *cli.ProjectOptions) error {
		from, name := o.NameFrom, o.Name
		if name == "" {
			from, name = consts.ComposeProjectName, p.Environment[consts.ComposeProjectName]
		}
		if name != loader.NormalizeProjectName(name) {
			return inputError(from, "use lower-case letters, digits, - and _, with a letter or a digit first", "%q is not a project name", name)
		}
		return nil
	}
}

// applyVariables gives the services the values of DOCKER_DEFAULT_PLATFORM and
// SOURCE_DATE_EPOCH, unless the compose file sets these itself.
func applyVariables(p *types.Project) error {
	platform, epoch := p.Environment[dockerDefaultPlatform], p.Environment[sourceDateEpoch]
	if platform != "" {
		if _, err := platforms.Parse(platform); err != nil {
			return inputError(dockerDefaultPlatform, "write it as os/architecture, linux/arm64", "%q: %v", platform, err)
		}
	}
	for _, services := range []types.Services{p.Services, p.DisabledServices} {
		for name, s := range services {
			if s.Build == nil {
				continue
			}
			if s.Platform == "" && len(s.Build.Platforms) == 0 {
				s.Platform = platform
				services[name] = s
			}
			if _, given := s.Build.Args[sourceDateEpoch]; epoch != "" && !given {
				if s.Build.Args == nil {
					s.Build.Args = types.MappingWithEquals{}
				}
				s.Build.Args[sourceDateEpoch] = &epoch
			}
		}
	}
	return nil
}

// optionsRemedy returns the remedy for an error in the names of files or in an env file.
func optionsRemedy(err error) string {
	if m := missingVariable.FindStringSubmatch(err.Error()); m != nil {
		return "set " + m[1] + " in the environment, or before that line of the file"
	}
	if readFailed.MatchString(err.Error()) {
		return "correct the file, or name another one"
	}
	return "" // the command line knows how the files are named
}

var missingVariable = regexp.MustCompile(`required variable ([A-Za-z0-9_]{1,40}) is missing a value`)
