package cmd

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// longestFlagHelp is the limit of docs/style.md: fewer than 80 characters.
const longestFlagHelp = 79

// The rest of a flag's help is in the long help of its command.
func TestHelpOfFlagsIsShort(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if _, usage := pflag.UnquoteUsage(f); len([]rune(usage)) > longestFlagHelp {
				t.Errorf("%s: the help of --%s has %d characters, want at most %d: %s", c.CommandPath(), f.Name, len([]rune(usage)), longestFlagHelp, usage)
			}
		})
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRootCommand(&cli{}))
}
