package cmd

import (
	"slipway/buildspec"
	"slipway/cmd/joblog"
)

// inCodeBuild makes what goes to stderr fit for CloudWatch, in a CodeBuild job.
func (w *cli) inCodeBuild(command string) {
	if !buildspec.FromEnv(w.LookupEnv).InCodeBuild {
		return
	}
	w.terminal, w.Prompt = false, nil // nothing is redrawn, and nobody answers
	if w.structured {
		return // who reads that finds warnings by their level
	}
	w.jobLog = joblog.New(w.stderr, command)
	w.log = w.log.Hook(w.jobLog)
}
