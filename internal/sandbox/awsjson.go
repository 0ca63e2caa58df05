package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// jsonService is a service that speaks AWS's JSON 1.1 protocol. Requests find
// it by the prefix of their X-Amz-Target header, "<prefix>.<Action>".
type jsonService struct {
	name    string
	prefix  string
	actions map[string]jsonAction
}

// jsonCall is what an action needs to know about its request besides its body.
type jsonCall struct {
	ctx    context.Context
	region string
}

type jsonAction func(c jsonCall, body []byte) (any, error)

// action makes a jsonAction of a function on decoded input.
func action[In, Out any](f func(jsonCall, In) (Out, error)) jsonAction {
	return func(c jsonCall, body []byte) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, newAPIError("SerializationException", err.Error())
		}
		return f(c, in)
	}
}

// apiError is an error as a JSON service answers it.
type apiError struct{ code, message string }

func (e *apiError) Error() string { return e.code + ": " + e.message }

func newAPIError(code, message string) *apiError { return &apiError{code, message} }

func apiErrorf(code, format string, args ...any) *apiError {
	return newAPIError(code, fmt.Sprintf(format, args...))
}

// maxJSONBody is above ECR's largest request, a manifest of 4 MiB.
const maxJSONBody = 16 << 20

func (s *Server) serveJSON(w *watched, r *http.Request) {
	prefix, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	service, act := s.findAction(prefix, name)
	w.name(service, name, "", "")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSONBody))
	if err != nil {
		writeJSONError(w, newAPIError("SerializationException", "the request body could not be read: "+err.Error()))
		return
	}
	w.name(service, name, repositoryOf(body), referenceIn(service, body))
	if act == nil {
		writeJSONError(w, apiErrorf("UnknownOperationException", "the sandbox does not know %s.%s", prefix, name))
		return
	}
	region := signedRegion(r)
	if region == "" {
		writeJSONError(w, newAPIError("MissingAuthenticationTokenException", "Missing Authentication Token"))
		return
	}
	if action := service + ":" + name; !s.iam.Allows(action) {
		writeJSONError(w, newAPIError("AccessDeniedException", s.iam.Refusal(action)))
		return
	}
	out, err := s.faults.around(r.Context(), service, name, func() (any, error) {
		return act(jsonCall{ctx: r.Context(), region: region}, body)
	})
	if err != nil {
		writeJSONError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) findAction(prefix, name string) (service string, act jsonAction) {
	for _, svc := range s.json {
		if svc.prefix == prefix {
			return svc.name, svc.actions[name]
		}
	}
	return prefix, nil
}

// repositoryOf peeks at a request for the record of calls.
func repositoryOf(body []byte) string {
	var in struct {
		RepositoryName string `json:"repositoryName"`
	}
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	return in.RepositoryName
}

func writeJSONError(w http.ResponseWriter, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = newAPIError("ServerException", err.Error())
	}
	w.Header().Set("X-Amzn-Errortype", e.code)
	writeJSON(w, statusOf(e.code), map[string]string{"__type": e.code, "message": e.message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone if this fails
}

// epoch is a time as the JSON protocol writes it: seconds since 1970.
type epoch time.Time

// MarshalJSON keeps milliseconds, as AWS does.
func (e epoch) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Time(e).UnixMilli()) / 1000)
}

// stamp is nil, left out of an answer, for a time that never was.
func stamp(t time.Time) *epoch {
	if t.IsZero() {
		return nil
	}
	e := epoch(t)
	return &e
}
