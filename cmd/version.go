package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCommand(w *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, from the build information in the binary",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(w.stdout, versionLine(debug.ReadBuildInfo()))
			return err
		},
	}
}

// versionLine is the module's version, or the commit that it was built from, the Go
// version and the platform.
func versionLine(info *debug.BuildInfo, ok bool) string {
	version := "(unknown)"
	if ok {
		version = info.Main.Version
		if commit := vcsCommit(info); commit != "" && (version == "" || version == "(devel)") {
			version = "devel " + commit
		}
		if version == "" {
			version = "(devel)"
		}
	}
	return fmt.Sprintf("slipway %s %s %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func vcsCommit(info *debug.BuildInfo) string {
	var commit, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if commit == "" {
		return ""
	}
	return commit + dirty
}
