package project

import "slipway/project/compose"

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
	Trust          Trust
	// From names the options, for messages.
	From From
	// ECS are set by build alone; the other commands find their site themselves.
	ECS ECSOptions
}

// From names the options where they were given, such as the flag of each.
type From struct{ Allow, DefinitionsDir, EnvFiles, ImageDetail, Lone, Name string }

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
