package ecs

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/rollout/internal/fakeaws"
)

// went returns a successful deployment at a minute, of a digest for the
// container web; 0 is one whose digests ECS does not know any more.
func went(minute, n int) ServiceDeployment {
	p := ServiceDeployment{Status: types.ServiceDeploymentStatusSuccessful, Created: time.Unix(int64(60*minute), 0)}
	if n > 0 {
		p.Digests = map[string]string{"web": digest(n)}
	}
	return p
}

func TestPrevious(t *testing.T) {
	history := func(service string, present int, successful ...ServiceDeployment) History {
		return History{Ref: Ref{Service: service}, Present: map[string]string{"web": digest(present)}, Successful: successful}
	}
	for _, test := range []struct {
		name      string
		histories []History
		want      []string // a state each: service=digest
	}{
		{"no services", nil, nil},
		{"never deployed", []History{history("a", 1)}, nil},
		{"deployed once", []History{history("a", 1, went(1, 1))}, nil},
		{"deployed twice", []History{history("a", 2, went(2, 2), went(1, 1))}, []string{"a=1"}},
		{"all the way back", []History{history("a", 3, went(3, 3), went(2, 2), went(1, 1))}, []string{"a=2", "a=1"}},
		{"the same deployed again", []History{history("a", 2, went(4, 2), went(3, 2), went(2, 1), went(1, 1))}, []string{"a=1"}},
		{"forth and back", []History{history("a", 1, went(3, 1), went(2, 2), went(1, 1))}, []string{"a=2"}},
		{"the newest failed", []History{history("a", 3, went(2, 2), went(1, 1))}, []string{"a=2", "a=1"}},
		{"the newest failed with what ran before", []History{history("a", 2, went(2, 2), went(1, 1))}, []string{"a=1"}},
		{"the newest failed with unknown images", []History{{Ref: Ref{Service: "a"}, Present: map[string]string{"web": ""}, Successful: []ServiceDeployment{went(2, 2), went(1, 1)}}}, []string{"a=2", "a=1"}},
		{"digests unknown between", []History{history("a", 3, went(3, 3), went(2, 0), went(1, 1))}, []string{"a=1"}},
		{"two services at once", []History{history("a", 2, went(20, 2), went(10, 1)), history("b", 2, went(21, 2), went(11, 1))},
			[]string{"a=2 b=1", "a=1 b=1"}},
		{"only one changed", []History{history("a", 2, went(20, 2), went(10, 1)), history("b", 1, went(9, 1))}, []string{"a=1 b=1"}},
		{"back past the shorter history", []History{history("a", 3, went(20, 3), went(10, 2), went(5, 1)), history("b", 1, went(15, 1))},
			[]string{"a=2 b=1"}},
		{"one failed, the other went on", []History{history("a", 3, went(10, 2), went(5, 1)), history("b", 3, went(20, 3), went(11, 2), went(6, 1))},
			[]string{"a=2 b=3", "a=2 b=2", "a=2 b=1", "a=1 b=1"}},
		{"digests of one unknown for a time", []History{history("a", 3, went(30, 3), went(20, 2)), history("b", 3, went(31, 3), went(15, 0), went(10, 1))},
			[]string{}},
		{"one has no history", []History{history("a", 2, went(20, 2), went(10, 1)), history("b", 1)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for state := range Previous(test.histories) {
				got = append(got, stateText(state))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("states %q, want %q", got, test.want)
			}
		})
	}
}

func stateText(state map[Ref]map[string]string) string {
	var parts []string
	for ref, digests := range state {
		var n int
		_, _ = fmt.Sscanf(digests["web"], "sha256:%d", &n)
		parts = append(parts, fmt.Sprintf("%s=%d", ref, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func TestPreviousStopsWhenTold(t *testing.T) {
	h := History{Ref: Ref{Service: "a"}, Present: map[string]string{"web": digest(3)}, Successful: []ServiceDeployment{went(3, 3), went(2, 2), went(1, 1)}}
	for state := range Previous([]History{h}) {
		if got := stateText(state); got != "a=2" {
			t.Errorf("first %q, want a=2", got)
		}
		break
	}
}

// A sidecar that was not asked for is not a difference.
func TestPreviousLooksOnlyAtTheContainersOfPresent(t *testing.T) {
	p := func(minute, web, log int) ServiceDeployment {
		past := went(minute, web)
		past.Digests["log"] = digest(log)
		return past
	}
	h := History{Ref: Ref{Service: "a"}, Present: map[string]string{"web": digest(2)}, Successful: []ServiceDeployment{p(3, 2, 9), p(2, 2, 8), p(1, 1, 8)}}
	states := slices.Collect(Previous([]History{h}))
	want := []map[Ref]map[string]string{{{Service: "a"}: {"web": digest(1)}}}
	if !reflect.DeepEqual(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	if len(h.Successful[0].Digests) != 2 {
		t.Error("the history was changed")
	}
}

// ECS resolves no digest for a container with versionConsistency disabled. The
// states do not count as whole ones, and an unknown digest is not a
// difference.
func TestPreviousWithUnknownDigests(t *testing.T) {
	s := Service{Ref: Ref{Service: "a"}, Containers: []Container{
		{Name: "web", Resolved: digest(3)}, {Name: "api", Running: map[string]int{digest(3): 2}}, {Name: "log"},
	}}
	h := HistoryOf(s, []ServiceDeployment{went(4, 3), went(3, 3), went(2, 2), went(1, 0)}, "web", "api")
	states := slices.Collect(Previous([]History{h}))
	want := []map[Ref]map[string]string{{{Service: "a"}: {"web": digest(2), "api": ""}}}
	if !reflect.DeepEqual(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
}

func TestHistoryOf(t *testing.T) {
	s := Service{Ref: Ref{Service: "a"}, Containers: []Container{
		{Name: "web", Resolved: digest(1), Running: map[string]int{digest(5): 2}},
		{Name: "api", Running: map[string]int{digest(6): 2, digest(7): 3}},
		{Name: "log"},
	}}
	deployed := func(status types.ServiceDeploymentStatus) Service {
		s := s
		s.Deployments = []ServiceDeployment{{Status: status, Digests: map[string]string{"web": digest(3)}}}
		return s
	}
	for _, test := range []struct {
		name       string
		service    Service
		containers []string
		want       map[string]string
	}{
		{"never deployed", s, nil, map[string]string{"web": digest(1), "api": digest(7), "log": ""}},
		{"succeeded", deployed("SUCCESSFUL"), nil, map[string]string{"web": digest(1), "api": digest(7), "log": ""}},
		{"succeeded, some asked for", deployed("SUCCESSFUL"), []string{"web", "log", "gone"}, map[string]string{"web": digest(1), "log": ""}},
		{"under way", deployed("IN_PROGRESS"), nil, map[string]string{"web": digest(3), "api": "", "log": ""}},
		{"rolled back", deployed("ROLLBACK_SUCCESSFUL"), []string{"web"}, map[string]string{"web": digest(3)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := HistoryOf(test.service, []ServiceDeployment{went(1, 1)}, test.containers...)
			if !maps.Equal(h.Present, test.want) || len(h.Successful) != 1 || h.Ref != s.Ref {
				t.Errorf("history %+v, want %v", h, test.want)
			}
		})
	}
}

func TestSuccessful(t *testing.T) {
	list := func(in fakeaws.Object) any {
		first := 0
		if token, _ := in["nextToken"].(string); token != "" {
			_, _ = fmt.Sscan(token, &first)
		}
		size := int(in["maxResults"].(float64))
		var page []fakeaws.Object
		for i := first; i < min(first+size, 130); i++ {
			page = append(page, fakeaws.ListedDeployment(1000-i, "SUCCESSFUL"))
		}
		out := fakeaws.Object{"serviceDeployments": page}
		if first+size < 130 {
			out["nextToken"] = fmt.Sprint(first + size)
		}
		return out
	}
	for _, test := range []struct{ limit, want, lists, describes int }{
		{5, 5, 1, 1}, {40, 40, 1, 2}, {100, 100, 1, 5}, {120, 120, 2, 6}, {500, 130, 2, 7},
	} {
		t.Run(fmt.Sprint(test.limit), func(t *testing.T) {
			s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"ListServiceDeployments": list, "DescribeServiceRevisions": revisionsRunning})
			got, err := Successful(t.Context(), s.ECS(), Ref{"shop", "web"}, test.limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != test.want || got[0].ARN != fakeaws.DeploymentARN(1000) || got[len(got)-1].Digests["web"] != digest(1001-test.want) {
				t.Errorf("%d deployments, first %+v", len(got), got[0])
			}
			s.WantCalls(map[string]int{"ListServiceDeployments": test.lists, "DescribeServiceRevisions": test.describes})
			if in := s.Of("ListServiceDeployments")[0].In; in["cluster"] != "shop" || in["service"] != "web" || fmt.Sprint(in["status"]) != "[SUCCESSFUL]" {
				t.Errorf("asked for %v", in)
			}
		})
	}
}
