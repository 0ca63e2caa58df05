package planned

import (
	"io"
	"maps"
	"slices"
	"strings"

	"slipway/build"
	"slipway/internal/plain"
	"slipway/project"
	"slipway/registry"
)

// Print writes a plan for people. Paths of files to be written are relative to dir.
func Print(w io.Writer, dir string, p *project.Plan, o build.Options) {
	plain.Fprintf(w, "project  %s (%s)\nhash     %s (%s)\n", p.Project, p.Root, p.Hash.Name, p.Hash.Detail)
	if p.Untrusted.Yes() {
		plain.Fprintf(w, "trust    untrusted, since %s\n", p.Untrusted.Why)
	}
	plain.Fprintf(w, "policy   %s\n", retentionPolicy(o, p))
	for _, s := range Services(p, o) {
		plain.Fprintf(w, "\n%s\n", s.Service)
		for _, f := range s.relativeTo(p.Root, dir).fields() {
			if f[1] != "" {
				plain.Fprintf(w, "  %-11s %s\n", f[0], f[1])
			}
		}
	}
}

// relativeTo shortens the paths for people: below the project's directory, and below the
// working directory for what is written.
func (s Service) relativeTo(root, dir string) Service {
	s.Context, s.Dockerfile, s.Definition = project.Relative(root, s.Context), project.Relative(root, s.Dockerfile), project.Relative(dir, s.Definition)
	s.Containers = slices.Clone(s.Containers)
	for i, c := range s.Containers {
		s.Containers[i].Definition = project.Relative(dir, c.Definition)
	}
	s.Contexts = maps.Clone(s.Contexts)
	for name, c := range s.Contexts {
		c.Dir, c.OCILayout = project.Relative(root, c.Dir), project.Relative(root, c.OCILayout)
		s.Contexts[name] = c
	}
	return s
}

// fields returns names and values in the order in which they are printed.
func (s Service) fields() [][2]string {
	repo := registry.Ref{Account: s.Account, Region: s.Region, Name: s.Repository}
	var contexts, caches []string
	for _, name := range slices.Sorted(maps.Keys(s.Contexts)) {
		contexts = append(contexts, name+"="+s.Contexts[name].String())
	}
	for _, c := range s.Cache.From {
		caches = append(caches, "from "+c.String())
	}
	for _, c := range s.Cache.To {
		caches = append(caches, "to "+c.String())
	}
	if len(caches) == 0 {
		caches = []string{s.Cache.Mode}
	}
	containers, definitions := []string{s.Container}, []string{s.Definition}
	for _, c := range s.Containers {
		if !slices.Contains(containers, c.Container) {
			containers = append(containers, c.Container)
		}
		if !slices.Contains(definitions, c.Definition) {
			definitions = append(definitions, c.Definition)
		}
	}
	where := repo.String()
	if len(s.Tags) == 0 {
		where += ", by digest"
	}
	return [][2]string{
		{"container", strings.Join(containers, ", ")},
		{"repository", where},
		{"context", s.Context},
		{"contexts", strings.Join(contexts, ", ")},
		{"dockerfile", s.Dockerfile},
		{"target", s.Target},
		{"args", pairs(s.Args)},
		{"platforms", strings.Join(s.Platforms, ", ")},
		{"engines", strings.Join(s.Engines, ", ")},
		{"labels", pairs(s.Labels)},
		{"secrets", strings.Join(s.Secrets, ", ")},
		{"ssh", strings.Join(s.SSH, ", ")},
		{"allow", strings.Join(s.Allow, ", ")},
		{"cache", strings.Join(caches, ", ")},
		{"tags", strings.Join(s.Tags, ", ")},
		{"definition", strings.Join(definitions, ", ")},
	}
}

func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, " ")
}
