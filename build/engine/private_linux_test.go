package engine_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"slipway/build/engine"
	"slipway/internal/enginetest"
	"slipway/internal/testkit"
)

// What the engine writes is for its user alone, whatever the umask and whatever
// was there, and AWS's credentials are not in its environment.
func TestManagedEngineIsPrivate(t *testing.T) {
	enginetest.Require(t)
	t.Parallel()
	dir := stateDir(t)
	log := filepath.Join(dir, "buildkitd.log")
	if err := errors.Join(os.WriteFile(log, nil, 0o600), os.Chmod(log, 0o666), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	job := exec.Command("sh", "-c", "umask 000; exec "+os.Args[0])
	job.Env = append(os.Environ(), managedEngineUser+"="+dir, "AWS_SECRET_ACCESS_KEY=hush", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/hush", "AWS_PROFILE=kept")
	hold, out := startPiped(t, job)
	if line, _ := out.ReadString('\n'); !strings.HasPrefix(line, "ready at") {
		t.Fatalf("the job printed %q, want ready at", line)
	}
	if err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 && info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is there for others: %s", path, info.Mode())
		}
		if path == filepath.Join(dir, "root") || path == filepath.Join(dir, "network", "addresses") {
			return filepath.SkipDir // BuildKit's and a plugin's own, in a directory that no other user enters
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pidIn(dir)), "environ"))
	if err != nil || strings.Contains(string(env), "hush") || !strings.Contains(string(env), "AWS_PROFILE=kept") {
		t.Errorf("the daemon's environment: %q, %v", env, err)
	}
	hold.Close()
	job.Process.Kill()
	job.Wait() // it was killed: that is its error
	closeEngine(t, startManaged(t, dir))
}

// Programs that need none get no AWS credentials; kubectl may have to ask AWS
// for its token.
func TestEngineCommandsGetNoCredentials(t *testing.T) {
	shared := enginetest.Shared(t)
	buildctl, err := filepath.Abs("../../.tools/bin/buildctl")
	if err != nil {
		t.Fatal(err)
	}
	bin, seen := t.TempDir(), filepath.Join(t.TempDir(), "seen")
	for _, name := range []string{"docker", "ssh", "kubectl"} {
		testkit.WriteProgram(t, filepath.Join(bin, name), "env >"+seen+"\nexec "+buildctl+" --addr "+shared.Addr+" dial-stdio\n")
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush")
	t.Setenv("AWS_SESSION_TOKEN", "hush")
	t.Setenv("CODEBUILD_AUTH_TOKEN", "hush")
	t.Setenv("AWS_PROFILE", "kept")
	for address, wanted := range map[string]bool{
		"docker-container://b?context=c": false, "ssh://u@h:22/run/b.sock": false, "kube-pod://p?namespace=n": true,
	} {
		found, err := engine.Find(t.Context(), engine.Options{Address: address, AddressFrom: "--engine"})
		if err != nil {
			t.Errorf("Find of %s: %v", address, err)
			continue
		}
		closeEngine(t, found[0])
		env, err := os.ReadFile(seen)
		if err != nil || strings.Contains(string(env), "hush") != wanted || !strings.Contains(string(env), "AWS_PROFILE=kept") {
			t.Errorf("%s: credentials %v, want %v; %v\n%s", address, !wanted, wanted, err, env)
		}
	}
}

// The ssh to a Docker engine is such a program too. Nothing answers behind it.
func TestDockerOverSSHGetsNoCredentials(t *testing.T) {
	bin, seen := t.TempDir(), filepath.Join(t.TempDir(), "seen")
	testkit.WriteProgram(t, filepath.Join(bin, "ssh"), "(env; echo \"$@\") >"+seen+"\nexit 1\n")
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush")
	env := environment{"DOCKER_HOST": "ssh://u@h:22", "DOCKER_CONFIG": t.TempDir()}
	o := engine.Options{Address: "docker", AddressFrom: "--engine", LookupEnv: env.lookup}
	if _, err := engine.Find(t.Context(), o); err == nil {
		t.Error("an engine was found")
	}
	text, err := os.ReadFile(seen)
	if err != nil || strings.Contains(string(text), "hush") || !strings.Contains(string(text), "docker system dial-stdio") {
		t.Errorf("ssh saw %q, %v, want docker system dial-stdio and no credentials", text, err)
	}
}

// silent takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go testkit.Accept(l, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	return l.Addr().String()
}

// An engine that takes the connection and never answers is given up; the error
// names it and the time it had.
func TestSilentEngineIsGivenUp(t *testing.T) {
	t.Parallel()
	at := silent(t)
	for name, c := range map[string]struct {
		o    engine.Options
		want string
	}{
		"buildkitd": {engine.Options{Address: "tcp://" + at}, "no engine answers at tcp://" + at + ": no answer within 20s: "},
		"docker":    {engine.Options{Address: "docker", LookupEnv: environment{"DOCKER_HOST": "tcp://" + at}.lookup}, "no Docker engine answers at tcp://" + at + " (DOCKER_HOST): waited 20s: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.o.AddressFrom = "--engine"
			_, err := engine.Find(t.Context(), c.o)
			var none *engine.NotFoundError
			if !errors.As(err, &none) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("have %v\nwant %s", err, c.want)
			}
		})
	}
}

// A Docker engine that answers a ping, and then without an end or with too much.
func TestUnboundedDockerIsGivenUp(t *testing.T) {
	t.Parallel()
	for want, version := range map[string]func(http.ResponseWriter, *http.Request){
		"no answer within 20s": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"GET /version: the answer is larger than the limit of 4 MiB": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"Version":"`)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("9", 1<<16)); err != nil {
					return
				}
			}
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("API-Version", "1.47") })
			mux.HandleFunc("/version", version)
			server := httptest.NewServer(mux)
			defer server.Close()
			env := environment{"DOCKER_HOST": "tcp://" + strings.TrimPrefix(server.URL, "http://"), "DOCKER_CONFIG": t.TempDir()}
			_, err := engine.Find(t.Context(), engine.Options{Address: "docker", AddressFrom: "--engine", LookupEnv: env.lookup})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), env["DOCKER_HOST"]) {
				t.Errorf("have %v\nwant %s", err, want)
			}
		})
	}
}
