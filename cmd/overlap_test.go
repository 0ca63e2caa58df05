package cmd

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
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

// TestCredentialsWhileTheProjectIsRead writes the compose file only when the
// credentials have been asked for.
func TestCredentialsWhileTheProjectIsRead(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "credentials", sandbox.Options{})
	compose := filepath.Join(s.dir, "compose.yaml")
	text, err := os.ReadFile(compose)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 1)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case asked <- struct{}{}:
		default: // asked before
		}
		fmt.Fprint(w, `{"AccessKeyId":"id","SecretAccessKey":"secret-of-the-endpoint","Token":"token"}`)
	}))
	t.Cleanup(endpoint.Close)
	pipe := filepath.Join(t.TempDir(), "pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	r := s.start("AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONTAINER_CREDENTIALS_FULL_URI="+endpoint.URL,
		"build", "--dry-run", "--hash", "one", "--project-directory", s.dir, "--file", pipe)
	select {
	case <-asked:
	case <-r.ended:
		t.Fatalf("the build ended with %d before it asked for credentials\n%s", r.code, &r.stderr)
	}
	if err := os.WriteFile(pipe, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.wait(exitDone)
	if got := r.stdout.String(); !strings.Contains(got, "a: new") {
		t.Errorf("stdout is %q, want that a is new", got)
	}
}
