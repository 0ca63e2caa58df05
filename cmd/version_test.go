package cmd

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionLine(t *testing.T) {
	vcs := func(version, commit, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main:     debug.Module{Version: version},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: commit}, {Key: "vcs.modified", Value: modified}},
		}
	}
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for _, c := range []struct {
		info *debug.BuildInfo
		ok   bool
		want string
	}{
		{vcs("v1.2.3", commit, "false"), true, "slipway v1.2.3 "},
		{vcs("(devel)", commit, "false"), true, "slipway devel 0123456789ab "},
		{vcs("", commit, "true"), true, "slipway devel 0123456789ab-dirty "},
		{&debug.BuildInfo{}, true, "slipway (devel) "},
		{nil, false, "slipway (unknown) "},
	} {
		if got := versionLine(c.info, c.ok); !strings.HasPrefix(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
