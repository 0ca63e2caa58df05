package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"slipway/internal/sandbox/cloudformation"
)

// Stack is a CloudFormation stack that is there.
type Stack = cloudformation.Stack

// SetStack makes a CloudFormation stack in the default region, or replaces the one of
// that name. The target groups and Cloud Map services among its outputs are there, too.
func (s *Server) SetStack(name string, stack Stack) {
	s.stacks.Set(s.options.Region, name, stack)
	for _, value := range stack.Outputs {
		s.endpoints.Learn(value)
	}
}

// stackPlane is the part of the control plane for CloudFormation:
//
//	POST /_sandbox/stack?name=shop&output=LogGroup%3D/ecs/shop   makes a stack with outputs,
//	                                                             or replaces it
func (s *Server) stackPlane(mux *http.ServeMux) {
	mux.HandleFunc("POST /_sandbox/stack", func(w http.ResponseWriter, r *http.Request) {
		name, stack, err := readStack(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.SetStack(name, stack)
		w.WriteHeader(http.StatusNoContent)
	})
}

func readStack(q url.Values) (name string, stack Stack, err error) {
	stack = Stack{Status: q.Get("status"), Outputs: map[string]string{}}
	for _, text := range q["output"] {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return "", stack, badParameter{"output", text, "NAME=VALUE"}
		}
		stack.Outputs[key] = value
	}
	if name = q.Get("name"); name == "" {
		return "", stack, fmt.Errorf("name must be the stack's name")
	}
	return name, stack, nil
}
