package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"slipway/internal/version"
)

func newVersionCommand(w *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, from the build information in the binary",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info, _ := debug.ReadBuildInfo() // nil where there is none
			_, err := fmt.Fprintln(w.stdout, versionLine(info))
			return err
		},
	}
}

// versionLine returns the version, the Go version and the platform.
func versionLine(info *debug.BuildInfo) string {
	return fmt.Sprintf("slipway %s %s %s/%s", version.Of(info), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
