package solve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/cli/cli/config/types"
)

func noLogin(context.Context, string) (types.AuthConfig, error) { return types.AuthConfig{}, nil }

// TestHeadFollowsFewRedirects has a registry send each request on to an address that is
// one letter longer.
func TestHeadFollowsFewRedirects(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		asked.Add(1)
		http.Redirect(w, r, r.URL.Path+"x", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	_, err := Head(t.Context(), strings.TrimPrefix(server.URL, "http://")+"/base:1", noLogin)
	var pull *PullError
	if !errors.As(err, &pull) || !strings.Contains(err.Error(), "more than 10 redirects") {
		t.Errorf("Head: %v, want a *PullError that counts the redirects", err)
	}
	if n := asked.Load(); n != 11 {
		t.Errorf("the registry was asked %d times, want 11: the request and ten redirects", n)
	}
}

// TestBoundedTransportEndsSilence has requests end whose answer does not come, or stops.
func TestBoundedTransportEndsSilence(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	}))
	defer server.Close()
	client := http.Client{Transport: boundedTransport(100 * time.Millisecond)}
	for _, path := range []string{"/silent", "/half"} {
		resp, err := client.Get(server.URL + path)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if !os.IsTimeout(err) {
			t.Errorf("GET %s: %v, want a timeout", path, err)
		}
	}
}

// TestSilentConnLetsSlowUploadsGoOn has an upload take ten times the limit of silence,
// a piece just before each limit, by a clock that does not depend on the machine.
func TestSilentConnLetsSlowUploadsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const silence, pieces = time.Second, 10
		near, far := net.Pipe()
		defer far.Close()
		done := make(chan struct{})
		go func() {
			defer close(done)
			piece := make([]byte, 64<<10)
			for range pieces {
				time.Sleep(silence - time.Millisecond)
				if _, err := io.ReadFull(far, piece); err != nil {
					t.Errorf("reading a piece: %v", err)
				}
			}
		}()
		c := &silentConn{near, silence}
		n, err := c.Write(make([]byte, pieces*64<<10))
		if err != nil || n != pieces*64<<10 {
			t.Errorf("Write to a slow reader: %d bytes, %v, want all", n, err)
		}
		<-done
		if _, err := c.Write([]byte("x")); !os.IsTimeout(err) {
			t.Errorf("Write to a reader that stopped: %v, want a timeout", err)
		}
	})
}
