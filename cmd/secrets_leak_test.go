package cmd

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// planted are the secret values of the project below, by the place that has each.
var planted = map[string]string{
	"a file":                          "planted-in-a-file",
	"a file that a variable names":    "planted-in-another-file",
	"a variable":                      "planted-in-a-variable",
	"a variable that another names":   "planted-by-interpolation",
	".env":                            "planted-in-dot-env",
	"an env_file for docker compose":  "planted-in-an-env-file",
	"an environment for compose only": "planted-in-a-local-environment",
}

// pushedPlaces are those of planted that secrets push writes.
var pushedPlaces = []string{"a file", "a file that a variable names", "a variable", "a variable that another names", ".env"}

const plantedProject = `name: shop
x-slipway: {ecs: {cluster: prod, service: shop}, task: {stack: site}}
services:
  a:
    build: ./a
    secrets: [in_file, in_named_file, in_variable, in_named_variable, in_dot_env]
    env_file: compose.env
    environment: {DATABASE_URL: "postgres://app:${API_KEY}@db/shop"}
    x-slipway: {local: [env_file, environment]}
  b:
    build: ./b
    environment: {PASSWORD: planted-in-a-local-environment}
    secrets: [in_file]
    x-slipway: {local: [environment]}
  c: {build: ./c}
  d: {build: ./d}
secrets:
  in_file: {file: secrets/one}
  in_named_file: {file: "${SECRET_DIR}/two"}
  in_variable: {environment: API_KEY}
  in_named_variable: {environment: "${WHICH}"}
  in_dot_env: {environment: DOT_TOKEN}
`

// plant writes the project and sets its variables.
func plant(h *ecsFixture) {
	h.write("secrets/one", planted["a file"]+"\n")
	h.write("secrets/two", planted["a file that a variable names"]+"\n")
	h.write(".env", "DOT_TOKEN="+planted[".env"]+"\n")
	h.write("compose.env", "FROM_FILE="+planted["an env_file for docker compose"]+"\n")
	h.write("compose.yaml", plantedProject)
	h.env = append(h.env, "SECRET_DIR=secrets", "WHICH=NAMED", "NAMED="+planted["a variable that another names"],
		"API_KEY="+planted["a variable"], "TMPDIR="+h.t.TempDir())
}

// recordedRequest is the head and the body of a request as they were sent.
type recordedRequest struct {
	name string
	text []byte
}

// requestRecorder keeps the requests that a proxy forwards.
type requestRecorder struct {
	mu       sync.Mutex
	requests []recordedRequest
}

// RoundTrip records a request and sends it.
func (r *requestRecorder) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	var text bytes.Buffer
	text.WriteString(req.URL.String() + "\n")
	_ = req.Header.Write(&text) // to memory
	text.Write(body)
	if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
		_, _ = io.Copy(&text, z) // a layer, as far as this part of it has it
	}
	name := req.Method + " " + req.URL.Path
	if target := req.Header.Get("X-Amz-Target"); target != "" {
		name = target
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, recordedRequest{name, text.Bytes()})
	return http.DefaultTransport.RoundTrip(req)
}

// forms are a value as it may be written, and its hashes.
func forms(value string) []string {
	out := []string{value, url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value))[:16]}
	for _, v := range []string{value, value + "\n"} {
		a, b, c := sha256.Sum256([]byte(v)), sha1.Sum([]byte(v)), md5.Sum([]byte(v))
		for _, sum := range [][]byte{a[:], b[:], c[:]} {
			out = append(out, hex.EncodeToString(sum)[:12], base64.StdEncoding.EncodeToString(sum)[:12])
		}
	}
	return out
}

// leaks returns the places whose values a text has.
func leaks(text []byte) (out []string) {
	for place, value := range planted {
		if slices.ContainsFunc(forms(value), func(form string) bool { return bytes.Contains(text, []byte(form)) }) {
			out = append(out, place)
		}
	}
	slices.Sort(out)
	return out
}

// secretWriters are the requests that may have values.
var secretWriters = []string{"secretsmanager.CreateSecret", "secretsmanager.PutSecretValue"}

// TestSecretsStayWhereTheyAre runs each command on a project with planted values, and
// looks for them in its output, in the files that it leaves, and in its requests.
func TestSecretsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"info", "debug"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			h := controllerFixture("")(t)
			sent := &requestRecorder{}
			h.proxy.proxy.Transport = sent
			h.surround()
			plant(h)
			before := h.files()
			for _, line := range plantedRuns {
				run := h.start(append(strings.Fields(line), "--log-level", level)...)
				run.wait(plantedCode(line))
				for name, text := range map[string][]byte{"stdout": run.stdout.Bytes(), "stderr": run.stderr.Bytes()} {
					if found := leaks(text); len(found) > 0 {
						t.Errorf("%s of %s has the values of %q", name, line, found)
					}
				}
			}
			h.wantNoLeaks(before, sent)
		})
	}
}

// plantedRuns are command lines that run one after the other.
var plantedRuns = []string{
	"secrets", "secrets push", "secrets", "secrets --output json", "secrets push --output json",
	"task", "task --output json",
	"build --plan", "build --plan --output json", "build --dry-run --hash one",
	"build --hash one --progress plain", "build --hash two --progress plain", "build --hash two --rollout --adopt", "task --diff", "task --diff --output json", "rollout", "rollout one", "rollback two --yes", "rollback --previous --yes",
	"status", "status --output json", "revisions", "revisions --output json", "stop", "start",
	"retention --preview", "doctor", "doctor --output json",
	"buildspec", "buildspec iam secrets --push", "buildspec iam doctor", "version",
}

// plantedCode returns the exit code of a command line.
func plantedCode(line string) int {
	switch {
	case strings.HasPrefix(line, "doctor"):
		return exitAWS // the sandbox's clock has moved on since its service started
	default:
		return exitDone
	}
}

// wantNoLeaks checks files and requests, and that the values were sent where they
// belong.
func (h *ecsFixture) wantNoLeaks(before map[string]bool, sent *requestRecorder) {
	h.t.Helper()
	for path := range h.files() {
		text, err := os.ReadFile(path)
		if err != nil {
			h.t.Fatal(err)
		}
		if found := leaks(text); len(found) > 0 && !before[path] {
			h.t.Errorf("file %s has the values of %q", path, found)
		}
	}
	var written []string
	for _, r := range sent.requests {
		found := leaks(r.text)
		if slices.Contains(secretWriters, r.name) {
			written = append(written, found...)
		} else if len(found) > 0 {
			h.t.Errorf("%s has the values of %q", r.name, found)
		}
	}
	slices.Sort(written)
	if want := slices.Sorted(slices.Values(pushedPlaces)); !slices.Equal(written, want) {
		h.t.Errorf("secrets were written with the values of %q, want %q", written, want)
	}
}

// files are the files of the project, of the home directory and of the temporary one.
func (h *ecsFixture) files() map[string]bool {
	h.t.Helper()
	dirs := []string{h.dir, h.home}
	for _, kv := range h.env {
		if dir, ok := strings.CutPrefix(kv, "TMPDIR="); ok {
			dirs = append(dirs, dir)
		}
	}
	out := map[string]bool{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				out[path] = true
			}
			return err
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
	return out
}
