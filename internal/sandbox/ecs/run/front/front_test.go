package front

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// server is a task that answers with a text.
func server(t *testing.T, text string) Dial {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	t.Cleanup(s.Close)
	return func(ctx context.Context, _ int) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(s.URL, "http://"))
	}
}

func refused(context.Context, int) (net.Conn, error) { return nil, io.ErrClosedPipe }

// answers returns the answers of some connections to an address.
func answers(t *testing.T, address string) map[string]bool {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	out := map[string]bool{}
	for range 6 {
		resp, err := client.Get("http://" + address)
		if err != nil {
			out["error"] = true
			continue
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		out[string(text)] = true
	}
	return out
}

func TestFront(t *testing.T) {
	var opened []string
	f := New(func(_ Key, address string) { opened = append(opened, address) })
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	key := Key{Cluster: "shop", Service: "web", Container: "web", Port: port}
	add := func(k Key, id string, dial Dial) {
		t.Helper()
		if err := f.Add(k, id, dial); err != nil {
			t.Fatal(err)
		}
	}
	add(key, "starting", refused)
	add(key, "one", server(t, "1"))
	add(key, "one", server(t, "again"))
	add(key, "two", server(t, "2"))
	if len(opened) != 1 || opened[0] == taken.Addr().String() {
		t.Fatalf("opened %q, want one free address", opened)
	}
	if got := answers(t, opened[0]); len(got) != 2 || !got["1"] || !got["2"] {
		t.Errorf("answers are %v, want 1 and 2", got)
	}
	f.Remove("one")
	if got := answers(t, opened[0]); len(got) != 1 || !got["2"] {
		t.Errorf("without the first task, answers are %v, want 2", got)
	}
	f.Remove("two")
	if got := answers(t, opened[0]); len(got) != 1 || !got["error"] {
		t.Errorf("without tasks, answers are %v", got)
	}
	if got := f.Listeners(); len(got) != 1 || got[0] != (Listener{key, opened[0], 1}) {
		t.Errorf("listeners are %+v", got)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	other := key
	other.Service = "api"
	add(other, "three", server(t, "3"))
	if len(opened) != 2 || opened[1] != taken.Addr().String() {
		t.Errorf("opened %q, want %s as well", opened, taken.Addr())
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Add(key, "late", refused); err == nil {
		t.Error("a closed front took a task")
	}
}
