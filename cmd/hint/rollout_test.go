package hint

import (
	"errors"
	"strings"
	"testing"

	"slipway/build"
	"slipway/internal/fault"
	"slipway/project"
	"slipway/retention"
	"slipway/rollout"
	"slipway/rollout/ecs"
)

// TestEveryProblemHasAHint: the flows name no commands, so that a hint is missed here
// or by users.
func TestEveryProblemHasAHint(t *testing.T) {
	cause := errors.New("it failed")
	var all []error
	for p := build.NotBuilt; p <= build.PolicyNotWritten; p++ {
		all = append(all, &build.Error{Problem: p, Err: cause})
	}
	for p := project.NoService; p <= project.ForeignName; p++ {
		all = append(all, &project.Error{Problem: p, Err: cause})
	}
	for p := retention.NotAgreed; p <= retention.Unprotected; p++ {
		all = append(all, &retention.Error{Problem: p, Err: cause})
	}
	for p := rollout.NoPause; p <= rollout.Older; p++ {
		all = append(all, &rollout.Error{Problem: p, Err: cause})
	}
	for _, err := range all {
		if Of(err) == "" {
			t.Errorf("Of(%#v) is empty", err)
		}
	}
}

// TestRolloutHints: a hint names the services and the revision that it is about.
func TestRolloutHints(t *testing.T) {
	services := []ecs.Ref{{Cluster: "shop", Service: "web"}, {Cluster: "shop", Service: "a b"}}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&rollout.Error{Problem: rollout.Mixed}, "run `slipway rollback REVISION` to make"},
		{&rollout.Error{Problem: rollout.Expiring, Revision: "two", Services: services[:1]}, "`slipway rollback two --cluster shop --ecs-service web`"},
		{rollout.StalledError(ecs.Service{Ref: services[0]}, ""), "`slipway rollback --previous --cluster shop --ecs-service web`"},
		{&rollout.Error{Problem: rollout.NotResumed, Services: services}, "`slipway status --cluster shop --ecs-service web --ecs-service 'a b'`"},
		{&fault.InputError{Where: "imagedefinitions.json", Err: &rollout.Error{Problem: rollout.NoFile}}, "run slipway build, which writes it"},
		{&project.Error{Problem: project.ForeignName, Project: "shop"}, "give --project-name shop "},
	} {
		if got := Of(tt.err); !strings.Contains(got, tt.want) {
			t.Errorf("Of(%#v) = %q, want %q in it", tt.err, got, tt.want)
		}
	}
}
