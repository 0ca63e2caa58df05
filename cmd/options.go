package cmd

import (
	"fmt"

	"github.com/spf13/pflag"

	"slipway/internal/fault"
	"slipway/project/compose"
)

// projectOptions say which project and what of it; every command that reads the compose
// file has them.
type projectOptions struct {
	files, envFiles, profiles []string
	dir, name, lone           string
	services                  []string
	hash                      string
	allow                     []string
	// given are the places that do not come from the compose file.
	given placesGiven
	// nameKnown reports that whoever runs the command knows the project by its name.
	nameKnown bool
	// unasked keeps what --allow does not cover from being asked on the terminal.
	unasked        bool
	definitionsDir string
	imageDetail    bool
	compression    string
	trust          trustOption
	// ecs are set by build alone; the other commands find their site themselves.
	ecs ecsOptions
}

func (o *projectOptions) flags(f *pflag.FlagSet) {
	f.StringSliceVarP(&o.files, "file", "f", nil, "compose `file`, repeated to merge several (default: COMPOSE_FILE, or compose.yaml and its kin here or in a parent directory)")
	f.StringSliceVar(&o.envFiles, "env-file", nil, "`file` with variables instead of the project's .env")
	f.StringSliceVar(&o.profiles, "profile", nil, "compose `profile` to switch on")
	f.StringVar(&o.dir, "project-directory", "", "the project's `directory` (default: that of the first compose file)")
	f.StringVarP(&o.name, "project-name", "p", "", "the project's `name` (default: as compose derives it)")
	f.StringSliceVar(&o.allow, "allow", nil, "`entitlement` that the project may have beyond its own, such as fs.read=PATH")
	f.StringVar(&o.lone, "name", "api", "the `service`'s name when there is a Dockerfile but no compose file")
}

// siteOptions are the flags of every command that works on ECS services.
type siteOptions struct {
	project projectOptions
	aws     awsOptions
	ecs     ecsOptions
	output  string
}

func (o *siteOptions) flags(f *pflag.FlagSet) {
	o.project.flags(f)
	o.aws.flags(f)
	o.ecs.flags(f)
	f.StringVar(&o.output, "output", "text", "form of the result on stdout: text or json")
}

func (o siteOptions) check() error {
	if err := o.ecs.check(); err != nil {
		return err
	}
	return checkOutput(o.output)
}

// checkOutput refuses a form of the result that is not known.
func checkOutput(output string) error {
	if output == "text" || output == "json" {
		return nil
	}
	return fault.New(fault.Usage, fmt.Errorf("--output: unknown value %q", output), "use one of text, json")
}

func (o projectOptions) load(w *world) compose.Options {
	l := compose.Options{EnvFiles: o.envFiles, Profiles: o.profiles, Name: o.name, Environ: w.environ, Lone: o.lone}
	for _, f := range o.files {
		l.Files = append(l.Files, absolute(w.dir, f))
	}
	if o.dir != "" {
		l.Dir = absolute(w.dir, o.dir)
	}
	return l
}
