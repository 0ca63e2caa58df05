package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
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
	err := Head(t.Context(), strings.TrimPrefix(server.URL, "http://")+"/base:1", noLogin)
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

// TestBoundedTransportLetsSlowUploadsGoOn has an upload take far longer than the limit
// of silence, a piece at a time, and its answer arrive.
func TestBoundedTransportLetsSlowUploadsGoOn(t *testing.T) {
	const silence = time.Second
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 1<<20)
		for {
			if _, err := io.ReadFull(r.Body, piece); err != nil {
				return
			}
			time.Sleep(silence / 8)
		}
	}))
	defer server.Close()
	client := http.Client{Transport: boundedTransport(silence)}
	resp, err := client.Post(server.URL, "application/octet-stream", io.LimitReader(zeros{}, 12<<20))
	if err != nil {
		t.Fatalf("upload of 12 MiB: %v", err)
	}
	resp.Body.Close()
}

// zeros reads as zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
