package cmd

import (
	"fmt"

	"github.com/spf13/pflag"

	"slipway/cmd/check"
	"slipway/internal/fault"
	"slipway/project"
)

// projectFlags are the flags of every command that reads the compose file.
type projectFlags struct{ project.Options }

func (o *projectFlags) flags(f *pflag.FlagSet) {
	o.From = project.From{Allow: "--allow", DefinitionsDir: "--definitions-dir", EnvFiles: "--env-file", Mirrors: "--mirror", Name: "--project-name", ImageDetail: "--image-detail", Lone: "--name"}
	o.Trust.From = "--untrusted"
	f.StringSliceVarP(&o.Files, "file", "f", nil, "compose `file`; repeat to merge several (default: COMPOSE_FILE, compose.yaml)")
	f.StringSliceVar(&o.EnvFiles, "env-file", nil, "`file` with variables (default: COMPOSE_ENV_FILES, the project's .env)")
	f.StringSliceVar(&o.Profiles, "profile", nil, "compose `profile` to switch on (default: COMPOSE_PROFILES)")
	f.StringVar(&o.Dir, "project-directory", "", "the project's `directory` (default: that of the first compose file)")
	f.StringVarP(&o.Name, "project-name", "p", "", "the project's `name` (default: as compose derives it)")
	f.StringSliceVar(&o.Allow, "allow", nil, "`entitlement` that the project may have beyond its own, such as fs.read=PATH")
	f.StringVar(&o.Lone, "name", "api", "`service` name if there is a Dockerfile but no compose file")
}

// siteOptions are the flags of every command that works on ECS services.
type siteOptions struct {
	project projectFlags
	aws     awsOptions
	ecs     project.ECSOptions
	output  string
}

func (o *siteOptions) flags(f *pflag.FlagSet) {
	o.project.flags(f)
	o.aws.flags(f)
	addECSFlags(f, &o.ecs)
	f.StringVar(&o.output, "output", "text", "form of the result on stdout: text or json")
}

func (o siteOptions) check() error {
	if err := check.ECS(o.ecs); err != nil {
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
