package cmd

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// WriteDocs writes a Markdown page for each command into dir, which is made anew.
func WriteDocs(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root := newRootCommand(&cli{stdout: io.Discard, stderr: io.Discard})
	root.DisableAutoGenTag = true
	if err := doc.GenMarkdownTree(root, dir); err != nil {
		return fmt.Errorf("writing the command pages: %w", err)
	}
	return writeVariables(filepath.Join(dir, "environment.md"), root)
}

// writeVariables lists the environment variable of each flag.
func writeVariables(path string, root *cobra.Command) error {
	var b strings.Builder
	b.WriteString("## Environment variables\n\nEach flag has one; the flag goes before it. Lists are separated by commas.\n\n| variable | flag | commands |\n|---|---|---|\n")
	type flag struct{ name, commands string }
	var flags []*flag
	seen := map[string]*flag{}
	add := func(command string) func(*pflag.Flag) {
		return func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" {
				return
			}
			if seen[f.Name] == nil {
				seen[f.Name] = &flag{name: f.Name}
				flags = append(flags, seen[f.Name])
			} else {
				command = ", " + strings.TrimPrefix(command, ", ")
			}
			seen[f.Name].commands += command
		}
	}
	root.PersistentFlags().VisitAll(add("all"))
	for _, c := range root.Commands() {
		for _, c := range append([]*cobra.Command{c}, c.Commands()...) {
			name := strings.TrimPrefix(c.CommandPath(), root.Name()+" ")
			c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { add(name)(f) })
		}
	}
	for _, f := range flags {
		fmt.Fprintf(&b, "| `%s` | `--%s` | %s |\n", envName(f.name), f.name, f.commands)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
