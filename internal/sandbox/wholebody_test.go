package sandbox_test

import (
	"io"
	"net/http"
)

// patient is an HTTP client for SDK clients that do not retry. smithy-go closes
// a request's body as soon as the answer begins; if net/http then looks once
// more for the body's end, its WriteTo answers io.EOF as an error, and net/http
// cuts the connection in the middle of a long answer. A server as near as the
// sandbox is fast enough for that. Without WriteTo the end is just the end.
var patient = &http.Client{Transport: withoutWriteTo{http.DefaultTransport}}

type withoutWriteTo struct{ http.RoundTripper }

func (t withoutWriteTo) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return t.RoundTripper.RoundTrip(r)
}
