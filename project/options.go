package project

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/internal/fault"
	"slipway/internal/mirror"
	"slipway/project/compose"
	"slipway/registry"
)

// Options say which project and what of it; every command that reads the compose
// file has them.
type Options struct {
	Files, EnvFiles, Profiles []string
	Dir, Name, Lone           string
	Services                  []string
	Hash                      string
	Allow                     []string
	// Given are the places that do not come from the compose file.
	Given Places
	// NameKnown reports that whoever runs the command knows the project by its name.
	NameKnown bool
	// Unasked keeps what --allow does not cover from being asked on the terminal.
	Unasked        bool
	DefinitionsDir string
	ImageDetail    bool
	Compression    string
	// Mirrors are REGISTRY=HOST/PREFIX; if there are any, those of the compose file
	// are not used.
	Mirrors []string
	// Reproducible is nil where x-slipway.engine.reproducible decides.
	Reproducible *bool
	Trust        Trust
	// From names the options, for messages.
	From From
	// ECS are set by build alone; the other commands find their site themselves.
	ECS ECSOptions
}

// From names the options where they were given, such as the flag of each.
type From struct{ Allow, DefinitionsDir, EnvFiles, ImageDetail, Lone, Mirrors, Name string }

func (o Options) load(w *Host) compose.Options {
	l := compose.Options{EnvFiles: o.EnvFiles, Profiles: o.Profiles, Name: o.Name, Environ: w.Environ, Lone: o.Lone, LoneFrom: o.From.Lone, EnvFilesFrom: o.From.EnvFiles, NameFrom: o.From.Name}
	for _, f := range o.Files {
		l.Files = append(l.Files, Absolute(w.Dir, f))
	}
	if o.Dir != "" {
		l.Dir = Absolute(w.Dir, o.Dir)
	}
	return l
}

// reproducible reports whether the images are to be reproducible: a flag goes
// before the compose file.
func (o Options) reproducible(s compose.Settings) bool {
	if o.Reproducible != nil {
		return *o.Reproducible
	}
	return s.Reproducible
}

const mirrorHint = "write docker.io=HOST or docker.io=HOST/PREFIX, in the compose file docker.io: HOST/PREFIX"

// mirrors returns those of the flags, else those of the compose file.
func (o Options) mirrors(s compose.Settings) (mirror.List, error) {
	where, values := o.From.Mirrors, o.Mirrors
	if len(values) == 0 {
		where = "x-slipway.engine.mirrors"
		for _, from := range slices.Sorted(maps.Keys(s.Mirrors)) {
			values = append(values, from+"="+s.Mirrors[from])
		}
	}
	out, err := mirror.Parse(values)
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("%s: %w", where, err), mirrorHint)
	}
	return out, nil
}

// MirrorsInECR returns the mirrors that are registries of ECR: the name of each
// is the prefix of its repositories, which may be empty. Errors are those of the
// flags and of the compose file (fault.Usage).
func (o Options) MirrorsInECR(s compose.Settings) ([]registry.Ref, error) {
	mirrors, err := o.mirrors(s)
	var out []registry.Ref
	for _, m := range mirrors {
		host, prefix, _ := strings.Cut(m.To, "/")
		if h, ok := registry.ParseHost(host); ok {
			out = append(out, registry.Ref{Account: h.Account, Region: h.Region, Name: prefix})
		}
	}
	return out, err
}
