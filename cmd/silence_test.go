package cmd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/internal/sandbox"
)

// drip answers with one byte after the other, until the client has gone.
func drip(w http.ResponseWriter, _ request, _ func(http.ResponseWriter)) {
	for {
		_, err := fmt.Fprint(w, " ")
		if err == nil {
			err = http.NewResponseController(w).Flush()
		}
		if err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// endless answers with the first page of a list again and again, each time with a token
// for another one.
func endless(token func(page int) string) treatment {
	var mu sync.Mutex
	var first map[string]any
	page := 0
	return func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			answer := httptest.NewRecorder()
			forward(answer)
			if err := json.Unmarshal(answer.Body.Bytes(), &first); err != nil {
				panic(err)
			}
		}
		page++
		first["nextToken"] = token(page)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(first) // a sender that hangs up gets no answer
	}
}

// impatient has requests to AWS end before a test does, and lets a busy machine answer
// the others in time.
const impatient = "SLIPWAY_AWS_TIMEOUT=2s"

// silence is a way not to answer, made for one test.
type silence struct {
	name  string
	treat func(*testing.T) treatment
}

var silences = []silence{
	{"no answer", func(t *testing.T) treatment { return newGate(t, false).treat }},
	{"one byte after the other", func(*testing.T) treatment { return drip }},
}

// TestSilentAWS has commands end when an operation gets no whole answer, with the
// service and the operation in the message, and leave all tags where they were.
func TestSilentAWS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ command, action, says string }{
		{"status", "DescribeServices", "ECS DescribeServices"},
		{"status", "ListTasks", "ECS ListTasks"},
		{"revisions", "DescribeImages", "ECR DescribeImages"},
		{"rollback one --yes", "BatchGetImage", "ECR BatchGetImage"},
		{"rollback one --yes", "PutImage", "ECR PutImage"},
		{"rollback --previous --yes", "ListServiceDeployments", "ECS ListServiceDeployments"},
		{"rollout one", "DescribeTaskDefinition", "ECS DescribeTaskDefinition"},
		{"stop", "DescribeServices", "ECS DescribeServices"},
		{"retention --preview", "GetLifecyclePolicy", "ECR GetLifecyclePolicy"},
	} {
		for _, quiet := range silences {
			t.Run(c.command+", "+c.action+", "+quiet.name, func(t *testing.T) {
				t.Parallel()
				h := newECSFixture(t, false)
				before := h.tags()
				h.proxy.set(&rule{match: on(c.action, "", ""), treat: quiet.treat(t)})
				h.start(append([]string{impatient}, strings.Fields(c.command)...)...).wait(exitAWS).
					says(c.says+": no complete answer within 2s", "AWS cannot be reached")
				h.proxy.set()
				same(t, h.tags(), before)
			})
		}
	}
}

// TestSilentAWSInBuild is TestSilentAWS for the requests of a build.
func TestSilentAWSInBuild(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"DescribeRepositories", "GetAuthorizationToken", "PutImage"} {
		for _, quiet := range silences {
			t.Run(action+", "+quiet.name, func(t *testing.T) {
				t.Parallel()
				s := newBuildFixture(t, "silence", sandbox.Options{})
				s.build("one", "--cache", "none").wait(exitDone)
				before := s.tags()
				s.writeProject("silence, next")
				s.proxy.set(&rule{match: on(action, "", ""), treat: quiet.treat(t)})
				r := s.build(impatient, "two", "--cache", "none", "--push-attempts", "1")
				r.says("ECR " + action + ": no complete answer within 2s")
				if r.code == exitDone {
					t.Errorf("the build ended with %d, want an error", r.code)
				}
				s.proxy.set()
				same(t, s.tags(), before)
			})
		}
	}
}

// TestEndlessLists has commands refuse lists that do not end.
func TestEndlessLists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		command, action, says string
		ends                  []int
	}{
		{"revisions", "DescribeImages", "ECR DescribeImages", []int{exitAWS}},
		{"status", "ListTasks", "ECS ListTasks", []int{exitAWS}},
		// It reads only so many deployments, and may have those first.
		{"rollback --previous --yes", "ListServiceDeployments", "ECS ListServiceDeployments", []int{exitAWS, exitUsage}},
	} {
		for name, token := range map[string]func(int) string{
			"the same token": func(int) string { return "again" },
			"new tokens":     func(page int) string { return fmt.Sprint(page) },
		} {
			t.Run(c.command+", "+name, func(t *testing.T) {
				t.Parallel()
				h := newECSFixture(t, false)
				before := h.tags()
				h.proxy.set(&rule{match: on(c.action, "", ""), treat: endless(token)})
				r := h.start(strings.Fields(c.command)...).wait(c.ends...)
				if r.code == exitAWS {
					r.says(c.says, ": the list ")
				}
				h.proxy.set()
				same(t, h.tags(), before)
			})
		}
	}
}
