package testkit

import (
	"io"
	"net/http"
)

// patient is an HTTP client for SDK clients that do not retry. smithy-go closes
// a request's body as soon as the answer begins. If net/http then reads the
// body once more to find its end, the body's WriteTo returns io.EOF as an
// error, and net/http closes the connection in the middle of a long answer. A
// local server is fast enough for that. A body without WriteTo ends without an
// error.
var patient = &http.Client{Transport: withoutWriteTo{http.DefaultTransport}}

type withoutWriteTo struct{ http.RoundTripper }

func (t withoutWriteTo) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return t.RoundTripper.RoundTrip(r)
}
