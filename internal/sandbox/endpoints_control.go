package sandbox

import (
	"net/http"
	"strconv"
	"strings"

	"slipway/internal/sandbox/ecs/serviceconfig"
	"slipway/internal/sandbox/elb"
)

// TargetGroup is a target group of Elastic Load Balancing, Target one of its targets.
type (
	TargetGroup = elb.TargetGroup
	Target      = elb.Target
)

// Registry is a service of Cloud Map.
type Registry = serviceconfig.Registry

// SetTargetGroup makes a target group, or replaces it. A target group among the outputs
// of a stack is made with the stack.
func (s *Server) SetTargetGroup(arn string, g TargetGroup) { s.groups.Set(arn, g) }

// DeleteTargetGroup removes a target group.
func (s *Server) DeleteTargetGroup(arn string) { s.groups.Delete(arn) }

// SetRegistry makes a service of Cloud Map, or replaces it. One among the outputs of a
// stack is made with the stack.
func (s *Server) SetRegistry(arn string, r Registry) { s.endpoints.SetRegistry(arn, r) }

// endpointPlane is the part of the control plane for the endpoints of ECS services:
//
//	POST /_sandbox/target-group?arn=ARN&type=instance&attached=false   makes a target group, or
//	                                                                   replaces it
//	POST /_sandbox/registry?arn=ARN&record=A                           makes a service of Cloud
//	                                                                   Map, or replaces it
func (s *Server) endpointPlane(mux *http.ServeMux) {
	mux.HandleFunc("POST /_sandbox/target-group", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		attached := true
		if text := q.Get("attached"); text != "" {
			var err error
			if attached, err = strconv.ParseBool(text); err != nil {
				http.Error(w, badParameter{"attached", text, "true or false"}.Error(), http.StatusBadRequest)
				return
			}
		}
		if withARN(w, q.Get("arn")) {
			s.SetTargetGroup(q.Get("arn"), TargetGroup{Type: q.Get("type"), Unattached: !attached})
		}
	})
	mux.HandleFunc("POST /_sandbox/registry", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if withARN(w, q.Get("arn")) {
			s.SetRegistry(q.Get("arn"), Registry{Record: q.Get("record")})
		}
	})
}

// withARN answers whether a request names an ARN. It reports whether it does.
func withARN(w http.ResponseWriter, arn string) bool {
	if !strings.HasPrefix(arn, "arn:") {
		http.Error(w, badParameter{"arn", arn, "an ARN"}.Error(), http.StatusBadRequest)
		return false
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}
