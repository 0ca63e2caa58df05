package cmd

import (
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"slipway/buildspec"
	"slipway/internal/fault"
	"slipway/project"
)

// trustFlag is --untrusted: set, cleared, or left to what CodeBuild says.
type trustFlag project.Trust

// trustFlag is a pflag.Value.
var _ pflag.Value = (*trustFlag)(nil)

// untrustedFlag adds the flag of a build.
func (o *projectFlags) untrustedFlag(f *pflag.FlagSet) {
	f.Var((*trustFlag)(&o.Trust), "untrusted", "build a source that others write, such as a pull request, apart from the rest")
	f.Lookup("untrusted").NoOptDefVal = "true"
}

// onlyTrusted adds the flag of a command that an untrusted source may not cause.
func (o *projectFlags) onlyTrusted(f *pflag.FlagSet) {
	o.untrustedFlag(f)
	f.Lookup("untrusted").Usage = "say whether others write the source; the command is refused if they do"
}

// String returns the value, empty where none was given.
func (o *trustFlag) String() string {
	if o == nil || !o.Given {
		return ""
	}
	return strconv.FormatBool(o.Untrusted)
}

// Set parses a boolean.
func (o *trustFlag) Set(s string) error {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("want true or false, have %q", s)
	}
	o.Given, o.Untrusted = true, v
	return nil
}

// Type is the flag's type in the help.
func (o *trustFlag) Type() string { return "bool" }

// refuseUntrusted refuses a command that changes what is not an untrusted build's own. The files
// of an untrusted source would decide what it deploys, and where.
func refuseUntrusted(w *cli, o project.Trust, command string) error {
	if why, _ := o.Reason(buildspec.FromEnv(w.LookupEnv)); why != "" {
		return fault.New(fault.Usage, fmt.Errorf("%s is not for an untrusted source, and this one is untrusted: %s", command, why), "run it in a job of the main branch; if the source is trusted all the same, say so with --untrusted=false")
	}
	return nil
}

// checkUntrusted refuses flags that would let an untrusted build write more than
// names of its own. The artifact is a flag's, since the setting does not count.
func (o *buildOptions) checkUntrusted(p *project.Plan) error {
	if !p.Untrusted.Yes() {
		return nil
	}
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"--rollout", o.rollout}, {"--create-repositories", o.Create},
		{"--artifact", o.Artifact != ""}, {"--replace-policy", o.Retention.Replace},
	} {
		if f.given {
			return fault.New(fault.Usage, fmt.Errorf("%s is not for an untrusted build, and this one is untrusted: %s", f.name, p.Untrusted.Why), "leave "+f.name+" out; if the source is trusted all the same, say so with --untrusted=false")
		}
	}
	return nil
}
