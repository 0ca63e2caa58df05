// Package fakeaws is an AWS for tests: an HTTP server that answers each action
// as the test says.
package fakeaws

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
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/smithy-go/middleware"

	"slipway/internal/awsclient"
)

// Object is a JSON object.
type Object = map[string]any

// Refusal is an answer that is an error.
type Refusal struct {
	Status int // 400 when 0; -1 breaks the connection off
	Code   string
}

// Server is an AWS that answers as a test says. The real clients talk to it.
type Server struct {
	T       *testing.T
	url     string
	actions map[string]func(in Object) any

	mu    sync.Mutex
	Calls []Call
}

// Call is a request that the server has received.
type Call struct {
	Action string
	In     Object
	Raw    []byte
	HTTP   *http.Request
}

// Start starts a server that answers the given actions until the test ends.
// Another action fails the test.
func Start(t *testing.T, actions map[string]func(in Object) any) *Server {
	t.Helper()
	s := &Server{T: t, actions: actions}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// ServeHTTP answers a request and records it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	call := Call{Action: action, HTTP: r}
	var cut error
	if call.Raw, cut = io.ReadAll(r.Body); cut != nil || len(call.Raw) == 0 {
		return // a caller that another call's error made hang up
	}
	if err := json.Unmarshal(call.Raw, &call.In); err != nil {
		s.T.Errorf("%s sent %q: %v", action, call.Raw, err)
	}
	s.mu.Lock()
	s.Calls = append(s.Calls, call)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	act, ok := s.actions[action]
	if !ok {
		s.T.Errorf("unexpected call of %s with %s", action, call.Raw)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.write(w, act(call.In))
}

func (s *Server) write(w http.ResponseWriter, answer any) {
	if no, ok := answer.(Refusal); ok {
		if no.Status < 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(max(no.Status, http.StatusBadRequest))
		answer = Object{"__type": no.Code, "message": "refused by the script"}
	}
	if raw, ok := answer.([]byte); ok {
		_, _ = w.Write(raw)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// Count counts the calls by action.
func (s *Server) Count() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for _, c := range s.Calls {
		counts[c.Action]++
	}
	return counts
}

// Order returns the actions called, in their order.
func (s *Server) Order() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var order []string
	for _, c := range s.Calls {
		order = append(order, c.Action)
	}
	return order
}

// Of returns the calls of an action.
func (s *Server) Of(action string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.Calls), func(c Call) bool { return c.Action != action })
}

// WantCalls fails the test unless the server received these numbers of calls.
func (s *Server) WantCalls(want map[string]int) {
	s.T.Helper()
	if got := s.Count(); !maps.Equal(got, want) {
		s.T.Errorf("calls %v, want %v", got, want)
	}
}

// Config returns the configuration of a client of the server. It does not
// retry.
func (s *Server) Config() aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &s.url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		APIOptions:  []func(*middleware.Stack) error{awsclient.PlainBody},
	}
}

// ECS returns a client of the server.
func (s *Server) ECS() *awsecs.Client { return awsecs.NewFromConfig(s.Config()) }

// CodeDeploy returns a client of the server.
func (s *Server) CodeDeploy() *codedeploy.Client { return codedeploy.NewFromConfig(s.Config()) }

// Autoscaling returns a client of the server.
func (s *Server) Autoscaling() *applicationautoscaling.Client {
	return applicationautoscaling.NewFromConfig(s.Config())
}

// Fixed answers the same to every call.
func Fixed(answer any) func(Object) any { return func(Object) any { return answer } }

// Strings makes a list of what a JSON field holds.
func Strings(in Object, field string) []string {
	var all []string
	values, _ := in[field].([]any)
	for _, v := range values {
		all = append(all, v.(string))
	}
	return all
}
