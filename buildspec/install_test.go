package buildspec

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"slipway/internal/testkit"
)

// TestInstall runs what a generated buildspec installs and builds with the programs of
// the system, curl over https included: what has another checksum is never run or
// unpacked.
func TestInstall(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("LEFT OUT: what a buildspec installs, fetched with curl; to run it: apt-get install curl")
	}
	program := []byte("#!/bin/sh\necho ran \"$@\" >>\"$RAN\"\nprintf 'SLIPWAY_HASH=1a2b\\nSLIPWAY_REVISION=1a2b\\n'\n")
	archive := tarball(t, map[string][]byte{"slipway": program, "buildkitd": []byte("engine"), "runc": []byte("runc")})
	for _, tt := range []struct {
		name, path string
		served     []byte
		// tampered is the server's content if it differs from that of the checksum.
		tampered []byte
		status   int
		// moved sends the client on to plain http.
		moved bool
		ok    bool
		files []string
	}{
		{name: "program", path: "/slipway", served: program, ok: true, files: []string{"slipway"}},
		{name: "archive", path: "/v1/slipway.tar.gz?a=1&b=2", served: archive, ok: true, files: []string{"buildkitd", "runc", "slipway"}},
		{name: "another program", path: "/slipway", served: program, tampered: append([]byte("#!/bin/sh\ntouch \"$RAN\"\n"), program...)},
		{name: "another archive", path: "/slipway.tgz", served: archive, tampered: tarball(t, map[string][]byte{"slipway": program})},
		{name: "half of it", path: "/slipway.tar.gz", served: archive, tampered: archive[:len(archive)/2]},
		{name: "not there", path: "/slipway", served: program, status: http.StatusNotFound},
		{name: "sent on to http", path: "/slipway", served: program, moved: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var asked, plainly atomic.Int32
			plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				plainly.Add(1)
				_, _ = w.Write(tt.served)
			}))
			defer plain.Close()
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if r.URL.RequestURI() != tt.path || tt.status != 0 {
					http.NotFound(w, r)
					return
				}
				if tt.moved {
					http.Redirect(w, r, plain.URL, http.StatusFound)
					return
				}
				body := tt.served
				if tt.tampered != nil {
					body = tt.tampered
				}
				_, _ = w.Write(body)
			}))
			defer server.Close()
			dir := t.TempDir()
			bin, ran := filepath.Join(dir, "bin"), filepath.Join(dir, "ran")
			trust := testkit.AuthorityFile(t, server)
			if err := os.Mkdir(bin, 0o755); err != nil {
				t.Fatal(err)
			}
			j := &job{t: t, dir: dir, bin: bin}
			_, exported, err := j.run(Spec{Install: &Download{server.URL + tt.path, fmt.Sprintf("%x", sha256.Sum256(tt.served))}}, "CURL_CA_BUNDLE="+trust, "RAN="+ran)
			if (err == nil) != tt.ok || asked.Load() == 0 || plainly.Load() > 0 {
				t.Fatalf("%v, after %d requests, and %d by plain http", err, asked.Load(), plainly.Load())
			}
			called, _ := os.ReadFile(ran) // not there unless it ran
			if want := map[bool]string{true: "ran build --output env\n"}[tt.ok]; string(called) != want {
				t.Errorf("called %q, want %q", called, want)
			}
			// sha256sum's own words go before.
			if strings.Contains(exported, "SLIPWAY") != tt.ok || tt.ok && !strings.HasSuffix(exported, "\nSLIPWAY_HASH=1a2b\nSLIPWAY_REVISION=1a2b\n") {
				t.Errorf("exported %q", exported)
			}
			var files []string
			for _, e := range must(os.ReadDir(bin))(t) {
				files = append(files, e.Name())
			}
			if !slices.Equal(files, tt.files) {
				t.Errorf("installed %v, want %v", files, tt.files)
			}
		})
	}
}

// tarball is a .tar.gz of programs.
func tarball(t *testing.T, programs map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for name, body := range programs {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(body))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
