// Package awsapi has the protocols and values that the stand-ins of AWS's
// services share: JSON 1.1 and the query protocol, errors, pages, times,
// regions.
package awsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Service is a service that speaks AWS's JSON 1.1 protocol, or JSON with the
// action in the path. Requests find the former by the prefix of their
// X-Amz-Target header, "<prefix>.<Action>".
type Service struct {
	Name string
	// Prefix is empty for a service whose actions are in the path.
	Prefix  string
	Actions map[string]Action
	// Reference returns the name of the resource that a request is about, for
	// the record of calls. It is nil for a service without such names.
	Reference func(body []byte) string
}

// Call is the part of a request besides its body that actions use.
type Call struct {
	Context context.Context
	Region  string // that the request is signed for
}

// Action returns the document that answers a request, or an error for
// WriteError.
type Action func(c Call, body []byte) (any, error)

// NewAction returns the Action that decodes a request's body for f.
func NewAction[In, Out any](f func(Call, In) (Out, error)) Action {
	return func(c Call, body []byte) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, NewError("SerializationException", err.Error())
		}
		return f(c, in)
	}
}

// DecodeFields decodes the fields of a request into a struct, for actions that
// keep the fields as they came.
func DecodeFields(fields map[string]json.RawMessage, into any) error {
	raw, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return NewError("SerializationException", err.Error())
	}
	return nil
}

// Present returns those of the named fields that are present.
func Present(fields map[string]json.RawMessage, names ...string) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for _, name := range names {
		if v, ok := fields[name]; ok && string(v) != "null" {
			out[name] = v
		}
	}
	return out
}

// Error is an error of a service that speaks JSON.
type Error struct {
	// Code is the error's type, such as "ClusterNotFoundException".
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// NewError returns an error with a code and a message.
func NewError(code, message string) *Error { return &Error{code, message} }

// Errorf returns an error with a code and a formatted message.
func Errorf(code, format string, args ...any) *Error {
	return NewError(code, fmt.Sprintf(format, args...))
}

// InvalidParameter returns the error for a parameter that breaks a rule, in
// ECR's words.
func InvalidParameter(field, rule string) *Error {
	return Errorf("InvalidParameterException",
		"Invalid parameter at '%s' failed to satisfy constraint: '%s'", field, rule)
}

// WriteError answers with an error. An error that is not an Error is answered
// as ServerException.
func WriteError(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = NewError("ServerException", err.Error())
	}
	w.Header().Set("X-Amzn-Errortype", e.Code)
	WriteJSON(w, statusOf(e.Code), map[string]string{"__type": e.Code, "message": e.Message})
}

// statusOf returns the HTTP status of an error code, as the "Common Errors"
// pages of the API references give it. Codes that they do not list are client
// errors.
func statusOf(code string) int {
	switch code {
	case "ServerException", "InternalFailure", "InternalServiceException", "InternalServerError":
		return http.StatusInternalServerError
	case "ServiceUnavailable", "ServiceUnavailableException":
		return http.StatusServiceUnavailable
	case "OptInRequired", "ExpiredTokenException":
		return http.StatusForbidden
	default:
		return http.StatusBadRequest
	}
}

// WriteJSON answers with a document.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone if this fails
}
