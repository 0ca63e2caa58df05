package ecs

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// object is a JSON object.
type object = map[string]any

// refusal is an answer that is an error.
type refusal struct {
	status int // 400 when 0; -1 breaks the connection off
	code   string
}

// script is an AWS that answers as a test says. The real clients talk to it.
type script struct {
	t       *testing.T
	url     string
	actions map[string]func(in object) any

	mu    sync.Mutex
	calls []scriptCall
}

type scriptCall struct {
	action string
	in     object
	raw    []byte
	http   *http.Request
}

func startScript(t *testing.T, actions map[string]func(in object) any) *script {
	t.Helper()
	s := &script{t: t, actions: actions}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	call := scriptCall{action: action, http: r}
	var cut error
	if call.raw, cut = io.ReadAll(r.Body); cut != nil || len(call.raw) == 0 {
		return // a caller that another call's error made hang up
	}
	if err := json.Unmarshal(call.raw, &call.in); err != nil {
		s.t.Errorf("%s sent %q: %v", action, call.raw, err)
	}
	s.mu.Lock()
	s.calls = append(s.calls, call)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	act, ok := s.actions[action]
	if !ok {
		s.t.Errorf("unexpected call of %s with %s", action, call.raw)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.write(w, act(call.in))
}

func (s *script) write(w http.ResponseWriter, answer any) {
	if no, ok := answer.(refusal); ok {
		if no.status < 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(max(no.status, http.StatusBadRequest))
		answer = object{"__type": no.code, "message": "refused by the script"}
	}
	if raw, ok := answer.([]byte); ok {
		_, _ = w.Write(raw)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// count counts the calls by action.
func (s *script) count() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for _, c := range s.calls {
		counts[c.action]++
	}
	return counts
}

// order are the actions called, in their order.
func (s *script) order() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var order []string
	for _, c := range s.calls {
		order = append(order, c.action)
	}
	return order
}

// of are the inputs of an action's calls.
func (s *script) of(action string) []scriptCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.calls), func(c scriptCall) bool { return c.action != action })
}

func (s *script) wantCalls(want map[string]int) {
	s.t.Helper()
	if got := s.count(); !maps.Equal(got, want) {
		s.t.Errorf("calls %v, want %v", got, want)
	}
}

func (s *script) config() aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &s.url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	}
}

func (s *script) ecs() *ecs.Client               { return ecs.NewFromConfig(s.config()) }
func (s *script) codeDeploy() *codedeploy.Client { return codedeploy.NewFromConfig(s.config()) }
func (s *script) autoscaling() *applicationautoscaling.Client {
	return applicationautoscaling.NewFromConfig(s.config())
}

// fixed answers the same to every call.
func fixed(answer any) func(object) any { return func(object) any { return answer } }

// list makes a list of what a JSON field holds.
func list(in object, field string) []string {
	var all []string
	values, _ := in[field].([]any)
	for _, v := range values {
		all = append(all, v.(string))
	}
	return all
}
