package cmd

import "slipway/project"

// places returns the project's options together with the places that the flags and the
// environment name.
func (o buildOptions) places(w *cli) project.Options {
	p := o.project.Options
	p.Given = project.Places{Engine: o.engine != "" || w.Getenv("BUILDKIT_HOST") != "", Cache: o.Cache != "", Artifact: o.Artifact != ""}
	return p
}
