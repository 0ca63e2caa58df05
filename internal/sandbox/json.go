package sandbox

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"slipway/internal/sandbox/awsapi"
	"slipway/internal/sandbox/scheduler"
)

// maxJSONBody is above ECR's largest request, a manifest of 4 MiB.
const maxJSONBody = 16 << 20

func (s *Server) serveJSON(w *watched, r *http.Request) {
	prefix, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	service := s.serviceOf(prefix)
	w.name(service.Name, name, "", "")
	if body, ok := readBody(w, r); ok {
		s.act(w, r, service, name, body)
	}
}

// serveScheduler answers a request of EventBridge Scheduler, whose actions are in
// the path.
func (s *Server) serveScheduler(w *watched, r *http.Request) {
	service := s.schedules.Service()
	w.name(service.Name, r.Method+" "+r.URL.Path, "", "")
	if body, ok := readBody(w, r); ok {
		name, whole := scheduler.Request(r, body)
		s.act(w, r, service, cmp.Or(name, r.Method+" "+r.URL.Path), whole)
	}
}

// readBody reads the body of a request, or answers with an error.
func readBody(w *watched, r *http.Request) (body []byte, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSONBody))
	if err != nil {
		awsapi.WriteError(w, awsapi.NewError("SerializationException",
			"the request body could not be read: "+err.Error()))
	}
	return body, err == nil
}

// act answers a request for an action of a service.
func (s *Server) act(w *watched, r *http.Request, service awsapi.Service, name string, body []byte) {
	w.name(service.Name, name, repositoryOf(body), referenceOf(service, body))
	act := service.Actions[name]
	if act == nil {
		awsapi.WriteError(w, awsapi.Errorf("UnknownOperationException", "the sandbox does not know %s.%s",
			cmp.Or(service.Prefix, service.Name), name))
		return
	}
	region := awsapi.SignedRegion(r)
	if region == "" {
		awsapi.WriteError(w, awsapi.NewError("MissingAuthenticationTokenException", "Missing Authentication Token"))
		return
	}
	if action := permissionOf(service.Name, name); !s.iam.Allows(action) {
		awsapi.WriteError(w, awsapi.NewError("AccessDeniedException", s.iam.Refusal(action)))
		return
	}
	out, err := s.faults.around(r.Context(), service.Name, name, func() (any, error) {
		return act(awsapi.Call{Context: r.Context(), Region: region}, body)
	})
	if err != nil {
		awsapi.WriteError(w, err)
		return
	}
	awsapi.WriteJSON(w, http.StatusOK, out)
}

// permissionOf returns the name of the permission for an action.
// Source: ListImageReferrers in the ECR API reference.
func permissionOf(service, action string) string {
	if service == "ecr" && action == "ListImageReferrers" {
		action = "BatchGetImage"
	}
	return service + ":" + action
}

// serviceOf returns the service of a prefix. If the sandbox has none, it is
// named by the prefix and has no actions.
func (s *Server) serviceOf(prefix string) awsapi.Service {
	for _, svc := range s.json {
		if svc.Prefix == prefix {
			return svc
		}
	}
	return awsapi.Service{Name: prefix}
}

// repositoryOf returns the repository that a request names, for the record of
// calls.
func repositoryOf(body []byte) string {
	var in struct {
		RepositoryName string `json:"repositoryName"`
	}
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	return in.RepositoryName
}

// referenceOf returns the resource that a request names, for the record of
// calls.
func referenceOf(service awsapi.Service, body []byte) string {
	if service.Reference == nil {
		return ""
	}
	return service.Reference(body)
}
