package sandbox

import (
	"net/http"
	"strings"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/cloudformation"
	"slipway/internal/sandbox/ecr"
	"slipway/internal/sandbox/elb"
	"slipway/internal/sandbox/iam"
	"slipway/internal/sandbox/s3"
	"slipway/internal/sandbox/scheduler"
)

// handler routes requests by the features of AWS's protocols. It records all
// but those to the control plane.
func (s *Server) handler(g *ecr.Registry) http.Handler {
	control := s.controlPlane()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serving.RLock()
		defer s.serving.RUnlock()
		if s.isClosed() {
			http.Error(w, "the sandbox is closed", http.StatusServiceUnavailable)
			return
		}
		if strings.HasPrefix(r.URL.Path, controlPrefix) {
			control.ServeHTTP(w, r)
			return
		}
		rec, r := s.calls.watch(w, r)
		defer rec.done()
		// AWS's clients correct their own clock by the server's.
		w.Header().Set("Date", s.clock.Now().UTC().Format(http.TimeFormat))
		switch {
		case r.Header.Get("X-Amz-Target") != "":
			s.serveJSON(rec, r)
		case r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/"):
			g.Serve(rec, r, func(action, repository, reference string) { rec.name("registry", action, repository, reference) })
		case awsapi.SignedService(r) == scheduler.Name:
			s.serveScheduler(rec, r)
		case isQueryProtocol(r):
			s.serveQuery(rec, r)
		default:
			rec.name("s3", s3.Action(r), s3.Bucket(r), s3.Key(r))
			s.s3.ServeHTTP(rec, r)
		}
	})
}

// serveQuery answers the services that speak AWS's query protocol. The version of the
// API tells them apart.
func (s *Server) serveQuery(rec *watched, r *http.Request) {
	err := r.ParseForm()
	switch {
	case err != nil:
		rec.name("sts", "", "", "")
		iam.Malformed(rec, err)
	case r.Form.Get("Version") == cloudformation.Version:
		s.stacks.Serve(rec, r, func(action, stack string) { rec.name("cloudformation", action, "", stack) })
	case r.Form.Get("Version") == elb.Version:
		s.groups.Serve(rec, r, func(action, group string) { rec.name("elasticloadbalancing", action, "", group) })
	default:
		s.iam.Serve(rec, r, func(service, action, role string) { rec.name(service, action, "", role) })
	}
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func isQueryProtocol(r *http.Request) bool {
	form := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	return r.URL.Path == "/" && (r.Method == http.MethodPost && form || r.URL.Query().Has("Action"))
}
