package solve

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const (
	// maxRedirects is how often a registry may send a request elsewhere, as many times
	// as Go's own client allows.
	maxRedirects = 10
	// registrySilence is how long a registry may take no byte of a request and send none
	// of an answer: some check the digest of a large layer before they answer.
	registrySilence = 2 * time.Minute
	// manifestTime is how long a registry may take to send or store a manifest.
	manifestTime = time.Minute
)

// registryTransport carries the requests that this host itself makes of registries, and
// lets none go on forever: http's transport waits for an answer without a limit, and
// the registry client follows redirects without one.
var registryTransport http.RoundTripper = boundedTransport(registrySilence)

func boundedTransport(silence time.Duration) http.RoundTripper {
	t := remote.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = silence
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &silentConn{conn, silence}
		return c, c.moved(1, nil)
	}
	return fewRedirects{t}
}

// fewRedirects counts the answers that led to a request.
type fewRedirects struct{ inner http.RoundTripper }

// RoundTrip fails when the request is the result of too many redirects.
func (t fewRedirects) RoundTrip(r *http.Request) (*http.Response, error) {
	led := 0
	for answer := r.Response; answer != nil && answer.Request != nil; answer = answer.Request.Response {
		led++
	}
	if led > maxRedirects {
		return nil, fmt.Errorf("%s: more than %d redirects", r.URL.Hostname(), maxRedirects)
	}
	return t.inner.RoundTrip(r)
}

// silentConn ends reads and writes when no byte has moved either way for a time.
type silentConn struct {
	net.Conn
	limit time.Duration
}

// Read returns bytes that arrive in time.
func (c *silentConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.moved(n, err)
}

// Write renews the time limit for each piece that the other side takes.
func (c *silentConn) Write(p []byte) (int, error) {
	const piece = 64 << 10
	sent := 0
	for {
		if err := c.moved(1, nil); err != nil {
			return sent, err
		}
		n, err := c.Conn.Write(p[sent:min(len(p), sent+piece)])
		if sent += n; err != nil || sent == len(p) {
			return sent, err
		}
	}
}

// moved renews the time limit after n bytes.
func (c *silentConn) moved(n int, err error) error {
	if err != nil || n == 0 {
		return err
	}
	return c.SetDeadline(time.Now().Add(c.limit))
}
