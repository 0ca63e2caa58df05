package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"slipway/artifact"
	"slipway/build"
	"slipway/build/revision"
	"slipway/internal/fault"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout"
	"slipway/rollout/follow"
)

func TestExitCode(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want int
	}{
		{t.Context(), errors.New("anything"), exitOther},
		{t.Context(), fault.New(fault.Usage, errors.New("x"), ""), exitUsage},
		{t.Context(), &fault.InputError{Problem: "x"}, exitUsage},
		{t.Context(), revision.Validate("latest"), exitUsage},
		{t.Context(), &artifact.TooLargeError{}, exitUsage},
		{t.Context(), &build.FailedError{Failed: []string{"a"}}, exitBuild},
		{t.Context(), fault.New(fault.AWS, errors.New("x"), ""), exitAWS},
		{t.Context(), &revisions.PublishError{Err: errors.New("x")}, exitAWS},
		{t.Context(), &registry.MissingError{}, exitAWS},
		{t.Context(), &registry.ImmovableError{}, exitAWS},
		{t.Context(), &smithy.GenericAPIError{Code: "x"}, exitAWS},
		// A bad name that is found only once AWS has answered is bad input all the same.
		{t.Context(), refused(&fault.InputError{Problem: "x"}), exitUsage},
		{t.Context(), ended(follow.Failed), exitRollout},
		{t.Context(), ended(follow.Differs), exitRollout},
		{t.Context(), ended(follow.Superseded), exitRollout},
		{t.Context(), ended(follow.RolledBack), exitRolledBack},
		{t.Context(), ended(follow.TimedOut), exitTimedOut},
		// The worst decides, and that the tags could not be put back does not hide it.
		{t.Context(), ended(follow.TimedOut, follow.RolledBack), exitRolledBack},
		{t.Context(), ended(follow.RolledBack, follow.Failed, follow.TimedOut), exitRollout},
		{t.Context(), errors.Join(ended(follow.RolledBack), &revisions.RevertError{Err: errors.New("x")}), exitRolledBack},
		{t.Context(), &revisions.RevertError{Err: errors.New("x")}, exitAWS},
		{t.Context(), fault.New(fault.Timeout, context.DeadlineExceeded, ""), exitTimedOut},
		{t.Context(), context.Canceled, exitOther},
		{cancelled, refused(context.Canceled), exitInterrupted},
		{cancelled, &build.FailedError{Failed: []string{"a"}}, exitBuild},
	} {
		if got := exitCode(c.ctx, fmt.Errorf("wrapped: %w", c.err)); got != c.want {
			t.Errorf("%T %v: exit code %d, want %d", c.err, c.err, got, c.want)
		}
	}
}

// ended are roll-outs that ended so.
func ended(statuses ...follow.Status) error {
	e := &rollout.FailedError{}
	for _, s := range statuses {
		e.Outcomes = append(e.Outcomes, follow.Outcome{Status: s})
	}
	return e
}

// TestExitCodesAreDocumented holds the help and docs/exit-codes.md to the codes that exist.
func TestExitCodesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{exitDone, exitOther, exitUsage, exitBuild, exitAWS, exitRollout, exitRolledBack, exitTimedOut, exitInterrupted} {
		if !strings.Contains(exitCodesHelp, fmt.Sprintf("\n  %-5d", code)) {
			t.Errorf("the help does not list code %d", code)
		}
		if !strings.Contains(string(page), fmt.Sprintf("\n| %d |", code)) {
			t.Errorf("docs/exit-codes.md does not list code %d", code)
		}
	}
}
