package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// controlPrefix is not a valid bucket name, so that no S3 request has it.
const controlPrefix = "/_sandbox/"

// controlPlane returns the handler for people and shell tests:
//
//	GET    /_sandbox/clock                               the server's time
//	POST   /_sandbox/clock?advance=192h                  moves it, applies lifecycle policies
//	GET    /_sandbox/calls                               the requests so far
//	DELETE /_sandbox/calls                               forgets them
//	POST   /_sandbox/archive?repository=R&digest=D       archives an image
//	GET    /_sandbox/ecr                                 the limits of ECR
//	POST   /_sandbox/ecr?tags-per-image=5                changes one: tags-per-image, images-per-repository,
//	                                                     refuse-nested
//	POST   /_sandbox/deny?action=ecr:PutImage            denies an action; without one, allows all again
//	POST   /_sandbox/caller?arn=ARN&entity=ARN           changes the caller, and the role behind
func (s *Server) controlPlane() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sandbox/clock", func(w http.ResponseWriter, _ *http.Request) {
		writeControl(w, map[string]time.Time{"now": s.clock.Now()})
	})
	mux.HandleFunc("POST /_sandbox/clock", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.URL.Query().Get("advance"))
		if err != nil || d < 0 {
			http.Error(w, "advance must be a duration such as 192h, not negative", http.StatusBadRequest)
			return
		}
		s.Advance(d)
		writeControl(w, map[string]time.Time{"now": s.clock.Now()})
	})
	mux.HandleFunc("GET /_sandbox/calls", func(w http.ResponseWriter, _ *http.Request) {
		writeControl(w, s.Calls())
	})
	mux.HandleFunc("DELETE /_sandbox/calls", func(w http.ResponseWriter, _ *http.Request) {
		s.ResetCalls()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /_sandbox/archive", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if err := s.Archive(q.Get("repository"), q.Get("digest")); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /_sandbox/deny", func(w http.ResponseWriter, r *http.Request) {
		s.Deny(r.URL.Query()["action"]...)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /_sandbox/caller", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if !strings.HasPrefix(q.Get("arn"), "arn:") {
			http.Error(w, "arn must be the caller's ARN", http.StatusBadRequest)
			return
		}
		s.SetCaller(q.Get("arn"), q.Get("entity"))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /_sandbox/role", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if !strings.HasPrefix(q.Get("arn"), "arn:") {
			http.Error(w, "arn must be the role's ARN", http.StatusBadRequest)
			return
		}
		s.SetRole(Role{ARN: q.Get("arn"), Trusts: q.Get("trusts"), Denied: q["denied"]})
		w.WriteHeader(http.StatusNoContent)
	})
	s.ecrPlane(mux)
	s.faultPlane(mux)
	s.ecsPlane(mux)
	s.stackPlane(mux)
	s.tasksPlane(mux)
	s.endpointPlane(mux)
	return mux
}

func writeControl(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the client has gone if this fails
}
