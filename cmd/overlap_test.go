package cmd

import (
	"net/http"
	"sync"
	"testing"

	"slipway/internal/sandbox"
)

// overlapping answers the requests of a number of each kind only when all of them have
// been sent.
func overlapping(kinds map[string]int) *rule {
	var sent sync.WaitGroup
	all := 0
	for _, n := range kinds {
		all += n
	}
	sent.Add(all)
	return &rule{
		match: func(q request) bool { return kinds[q.action] > 0 },
		times: all,
		treat: func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
			sent.Done()
			sent.Wait()
			forward(w)
		},
	}
}

// TestPoliciesAreWrittenTogether changes the policies of all repositories.
func TestPoliciesAreWrittenTogether(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "policies together", sandbox.Options{})
	s.build("one").wait(exitDone)
	s.proxy.set(overlapping(map[string]int{"PutLifecyclePolicy": len(componentNames)}))
	s.build(noEngine, "two", "--retention-days", "9").wait(exitDone).says("retention of shop/a set to 9 days", "retention of shop/d set to 9 days")
}
