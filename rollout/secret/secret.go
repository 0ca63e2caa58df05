// Package secret finds the secrets that the containers of a compose project read
// while they run, and their values on this host. It makes no request. Package
// stored reads and writes them in AWS.
package secret

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/compose-spec/compose-go/v2/types"

	"slipway/internal/awsname"
	"slipway/internal/fault"
	"slipway/project/compose"
)

// Store is the service of AWS that has a secret.
type Store string

// The stores that ECS reads secrets from.
const (
	Manager   Store = "secretsmanager"
	Parameter Store = "ssm"
)

// Secret is a secret that containers of a project read.
type Secret struct {
	// Key is the name in the compose file.
	Key string
	// Services read it, sorted.
	Services []string
	// Store and ID say where it is: the name or the ARN of a secret, the name or the
	// ARN of a parameter.
	Store Store
	ID    string
	// Region is that of an ARN; empty for the configured one.
	Region string
	// Stage and Version are the parts of an ARN behind the secret.
	Stage, Version string
	// External reports that somebody else writes it.
	External bool
	// File or Variable have its value on this host.
	File, Variable string
}

// IDs returns where secrets are: the names of the project's own and the ARNs of others in
// Secrets Manager, and the names or ARNs of parameters.
func IDs(secrets []Secret) (own, others, parameters []string) {
	for _, s := range secrets {
		switch {
		case s.Store == Parameter:
			parameters = append(parameters, s.ID)
		case s.External:
			others = append(others, s.ID)
		default:
			own = append(own, s.ID)
		}
	}
	return own, others, parameters
}

// Field returns the name of the field that has the value on this host, or of the
// secret.
func (s Secret) Field() string {
	switch {
	case s.File != "":
		return "secrets." + s.Key + ".file"
	case s.Variable != "":
		return "secrets." + s.Key + ".environment"
	default:
		return "secrets." + s.Key
	}
}

// Of returns the secrets of a project's containers, sorted by their names in the
// compose file. Services and keys that are for docker compose only do not count.
// Errors are *fault.InputError.
func Of(p *types.Project) ([]Secret, error) {
	services := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		s := p.Services[name]
		settings, err := compose.ReadServiceSettings(s)
		if err != nil {
			return nil, err
		}
		if settings.Undeployed || settings.Local.All || slices.Contains(settings.Local.Keys, "secrets") {
			continue
		}
		for _, ref := range s.Secrets {
			if !slices.Contains(services[ref.Source], name) {
				services[ref.Source] = append(services[ref.Source], name)
			}
		}
	}
	var out []Secret
	for _, key := range slices.Sorted(maps.Keys(services)) {
		s, err := read(p, key)
		if err != nil {
			return nil, err
		}
		s.Services = services[key]
		out = append(out, s)
	}
	return out, nil
}

// read reads one secret at the top of the compose file.
func read(p *types.Project, key string) (Secret, error) {
	def, ok := p.Secrets[key]
	if !ok {
		return Secret{}, fault.NewInput("secrets."+key, "there is no such secret", "declare it under secrets: at the top of the file")
	}
	if def.External {
		return External(key, def.Name)
	}
	s := Secret{Key: key, Store: Manager, ID: p.Name + "/" + key, File: def.File, Variable: def.Environment}
	if !isName(s.ID) {
		return s, fault.NewInput("secrets."+key, fmt.Sprintf("%q is not a name of Secrets Manager", s.ID), "use a shorter name of letters, digits and _ . -")
	}
	return s, nil
}

// isName reports whether a text is the name of a secret (CreateSecret in the Secrets
// Manager API reference). The expression leaves the length out: with it, its compilation
// takes 2 ms of each start.
func isName(text string) bool { return len(text) <= 512 && nameText.MatchString(text) }

var (
	// nameText has the characters of a secret's name.
	nameText = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]+$`)
	// parameterName is that of a parameter (PutParameter in the Systems Manager API
	// reference).
	parameterName = regexp.MustCompile(`^[a-zA-Z0-9_./-]+$`)
)

// External returns the secret that somebody else writes at a place: the ARN of a
// secret, with a JSON key, a stage and a version if they are given, or the name or
// the ARN of a parameter ("Pass sensitive data to an Amazon ECS container" in the
// ECS developer guide). The error is an *fault.InputError.
func External(key, id string) (Secret, error) {
	out := Secret{Key: key, External: true, Store: Parameter, ID: id}
	refused := fault.NewInput("secrets."+key, fmt.Sprintf("%q is neither the ARN of a secret nor a parameter", id),
		"write the secret's full ARN, or the name or the ARN of a parameter, as its name")
	parsed, err := arn.Parse(id)
	if err != nil {
		if !parameterName.MatchString(id) {
			return out, refused
		}
		return out, nil
	}
	if err := errors.Join(awsname.CheckPartition(parsed.Partition), awsname.CheckRegion(parsed.Region), awsname.CheckAccount(parsed.AccountID)); err != nil {
		return out, refused
	}
	out.Region = parsed.Region
	switch kind, rest := cutResource(parsed.Resource); {
	case parsed.Service == "ssm" && kind == "parameter" && parameterName.MatchString(rest):
		return out, nil
	case parsed.Service == "secretsmanager" && kind == "secret":
		parts := strings.Split(rest, ":")
		if len(parts) != 1 && len(parts) != 4 || !isName(parts[0]) {
			return out, refused
		}
		out.Store, parsed.Resource = Manager, "secret:"+parts[0]
		out.ID = parsed.String()
		if len(parts) == 4 {
			out.Stage, out.Version = parts[2], parts[3]
		}
		return out, nil
	default:
		return out, refused
	}
}

// cutResource cuts the resource of an ARN into its kind and its name.
func cutResource(resource string) (kind, name string) {
	i := strings.IndexAny(resource, ":/")
	if i < 0 {
		return resource, ""
	}
	return resource[:i], resource[i+1:]
}
