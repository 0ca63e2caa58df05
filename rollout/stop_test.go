package rollout

import (
	"testing"

	"slipway/project"
	"slipway/registry"
	"slipway/registry/revisions"
	"slipway/rollout/ecs"
	"slipway/rollout/follow"
)

// TestKeepOrGuard: latest does not leave what a SUCCESSFUL deployment runs.
func TestKeepOrGuard(t *testing.T) {
	const wanted, platform, other = "sha256:aa", "sha256:ab", "sha256:bb"
	repo := registry.Ref{Account: "000000000000", Region: "us-east-1", Name: "shop/web"}
	for name, tt := range map[string]struct {
		own  map[string]map[string]int
		back bool
		keep bool
		runs string
	}{
		"some tasks run it":         {map[string]map[string]int{"web": {wanted: 1, other: 5}}, false, true, ""},
		"an index's platform":       {map[string]map[string]int{"web": {platform: 1}}, false, true, ""},
		"no task has started":       {map[string]map[string]int{}, false, true, ""},
		"none runs it":              {map[string]map[string]int{"web": {other: 2}}, false, false, other},
		"none would":                {map[string]map[string]int{"web": {other: 0}}, false, false, other},
		"another service goes back": {map[string]map[string]int{"web": {wanted: 1}}, true, false, wanted},
	} {
		ref := ecs.Ref{Cluster: "shop", Service: "web"}
		d := &job{Host: &project.Host{}, target: &Target{Name: "one"}, services: &Services{List: []*Service{{ECSService: project.ECSService{Ref: ref}, Repositories: map[string]registry.Repository{"web": {Ref: repo}}}}}}
		after := revisions.RolloutResult{Keep: map[registry.Ref]bool{}}
		d.keepOrProtect(&after, follow.Outcome{
			Status: follow.Differs, Own: tt.own,
			Deployment: ecs.Deployment{Service: ecs.Service{Ref: ref}, Wants: map[string]ecs.DesiredImage{"web": {Digests: []string{wanted, platform}}}},
		}, tt.back)
		if after.Keep[repo] != tt.keep || after.Runs[repo] != tt.runs {
			t.Errorf("%s: kept %v, runs %q; want %v, %q", name, after.Keep[repo], after.Runs[repo], tt.keep, tt.runs)
		}
	}
}
