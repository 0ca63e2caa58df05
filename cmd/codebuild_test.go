package cmd

import (
	"bytes"
	"strings"
	"testing"

	"slipway/project"
)

// TestInCodeBuild: nothing is redrawn and nobody is asked, and a warning is repeated
// once, however often it came.
func TestInCodeBuild(t *testing.T) {
	var out bytes.Buffer
	w := &cli{stderr: &out, terminal: true, Host: project.Host{Prompt: &prompter{}, Environ: []string{"CODEBUILD_BUILD_ID=shop:1"}}}
	w.log = newLogger(&out, "info", "text")
	w.inCodeBuild("slipway build")
	if w.terminal || w.Interactive() {
		t.Error("the job has a terminal")
	}
	for range 2 {
		w.log.Warn().Str("password", "h1dden").Msg("a warning")
	}
	w.log.Info().Msg("news")
	out.Reset()
	w.jobLog.Repeat()
	w.jobLog.Repeat()
	w.log.Warn().Msg("another")
	w.jobLog.Repeat()
	w.jobLog.About("1a2b")
	w.jobLog.End(exitAWS)
	want := `
---- 1 warning ` + strings.Repeat("-", 57) + `
WARNING: a warning
` + strings.Repeat("-", 72) + `
WARNING: another

---- 1 more warning ` + strings.Repeat("-", 52) + `
WARNING: another
` + strings.Repeat("-", 72) + `

==== slipway build FAILED with exit code 4: revision 1a2b ====
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestOutsideCodeBuild: everything is left as it was, and for machines nothing is framed.
func TestOutsideCodeBuild(t *testing.T) {
	w := &cli{terminal: true}
	w.inCodeBuild("slipway build")
	w.jobLog.Warn("a warning")
	w.jobLog.About("1a2b")
	w.jobLog.Repeat()
	w.jobLog.End(exitOther)
	if !w.terminal || w.jobLog != nil {
		t.Errorf("got %+v, want a terminal and no job log", w)
	}
	w = &cli{structured: true, terminal: true, Host: project.Host{Environ: []string{"CODEBUILD_BUILD_ID=shop:1"}}}
	if w.inCodeBuild("slipway build"); w.terminal || w.jobLog != nil {
		t.Errorf("got %+v, want neither a terminal nor a job log", w)
	}
}
