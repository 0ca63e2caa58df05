package cmd

import (
	"github.com/spf13/cobra"
)

func newRetentionCommand(w *world) *cobra.Command {
	return &cobra.Command{Use: "retention"}
}
