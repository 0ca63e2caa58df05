package awsclient

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// TestConnectionsAreReused sends a wave of requests at once, each answered when all
// are there, and a second one: it takes no new connection.
func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	const wave = 24
	var opened atomic.Int32
	var arrived sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived.Done()
		arrived.Wait()
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := newHTTPClient()
	for n := range 2 {
		arrived.Add(wave)
		var all sync.WaitGroup
		for range wave {
			all.Go(func() { get(t, client, server.URL) })
		}
		all.Wait()
		if got := opened.Load(); got != wave {
			t.Errorf("after wave %d of %d requests, %d connections were opened, want %d", n+1, wave, got, wave)
		}
	}
}

// get reads the answer of a server.
func get(t *testing.T, client interface {
	Do(*http.Request) (*http.Response, error)
}, url string) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Error(err)
		return
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Error(err)
	}
	_ = answer.Body.Close() // it was read
}
