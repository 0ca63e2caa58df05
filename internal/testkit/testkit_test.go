package testkit

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/name"

	"slipway/internal/fault"
	"slipway/internal/sandbox"
)

// recorder is a testing.TB that keeps the failures of a check.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }

func TestWantInputError(t *testing.T) {
	input := &fault.InputError{Err: errors.New("no such file")}
	for _, c := range []struct {
		err   error
		want  string
		fails bool
	}{
		{input, input.Error(), false},
		{fmt.Errorf("loading: %w", input), "loading: " + input.Error(), false},
		{input, "another text", true},
		{errors.New("no such file"), "no such file", true},
		{nil, "", true},
	} {
		r := &recorder{}
		func() {
			defer func() { _ = recover() }() // Fatalf of the recorder does not end the check
			WantInputError(r, c.err, c.want)
		}()
		if fails := len(r.failures) > 0; fails != c.fails {
			t.Errorf("WantInputError(%v, %q) failed with %q, want a failure: %v", c.err, c.want, r.failures, c.fails)
		}
	}
}

// TestECR pushes images to a sandbox and counts the calls of ECR's API.
func TestECR(t *testing.T) {
	server, clients := StartECR(t)
	made, err := clients("").CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: new("shop/web")})
	if err != nil {
		t.Fatal(err)
	}
	repository, err := name.NewRepository(*made.Repository.RepositoryUri)
	if err != nil {
		t.Fatal(err)
	}
	auth := ECRLogin(t, clients(HomeRegion))
	tagged, untagged := PushImage(t, repository, auth, "one", "two"), PushImage(t, repository, auth)
	if tags := server.Tags("shop/web"); tags["one"] != tagged || tags["two"] != tagged || len(tags) != 2 {
		t.Errorf("the tags are %v, want one and two at %s", tags, tagged)
	}
	if got := server.Digests("shop/web"); !slices.Contains(got, untagged) || len(got) != 2 {
		t.Errorf("the images are %v, want %s and %s", got, tagged, untagged)
	}
	r := &recorder{}
	WantECRCalls(r, server, "CreateRepository", 1)
	WantECRCalls(r, server, "PutImage", 0)
	if len(r.failures) > 0 {
		t.Errorf("WantECRCalls failed with %q, want no failure", r.failures)
	}
	if WantECRCalls(r, server, "CreateRepository", 2); len(r.failures) != 1 {
		t.Errorf("WantECRCalls of a wrong number failed with %q, want one failure", r.failures)
	}
}

func TestStartSandboxCloses(t *testing.T) {
	var address string
	t.Run("use", func(t *testing.T) {
		address = strings.TrimPrefix(StartSandbox(t, sandbox.Options{}).URL(), "http://")
	})
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("the sandbox still listens after the test")
	}
}

func TestServerCertificate(t *testing.T) {
	certificate, authority := ServerCertificate(t, "registry.example")
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(ReadFile(t, authority))) {
		t.Fatalf("%s has no certificate", authority)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go Accept(l, func(conn net.Conn) {
		defer conn.Close()
		_, _ = conn.Write([]byte("x")) // after the handshake, whose error the client sees
	})
	for host, trusted := range map[string]bool{"registry.example": true, "127.0.0.1": true, "other.example": false} {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: roots, ServerName: host})
		if (err == nil) != trusted {
			t.Errorf("%s: got error %v, want a trusted certificate: %v", host, err, trusted)
		}
		if err == nil {
			conn.Close()
		}
	}
}

// TestPrograms runs what the package compiles and writes.
func TestPrograms(t *testing.T) {
	dir := WriteTree(t, map[string]string{"a/b": "content"})
	if got := ReadFile(t, filepath.Join(dir, "a", "b")); got != "content" {
		t.Errorf("a/b holds %q, want content", got)
	}
	step := filepath.Join(StepContext(t, "/step", "/result"), "step")
	result := filepath.Join(dir, "result")
	if out, err := exec.Command(step, result).CombinedOutput(); err != nil || ReadFile(t, result) != "ran" {
		t.Errorf("step wrote %q, %v, want ran", out, err)
	}
	script := filepath.Join(dir, "bin", "script")
	WriteProgram(t, script, "echo $1\n")
	if out, err := exec.Command(script, "hello").Output(); err != nil || string(out) != "hello\n" {
		t.Errorf("script printed %q, %v, want hello", out, err)
	}
	probe, err := Probe()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "probe")
	if err := os.WriteFile(file, []byte(probe), 0o755); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := exec.Command(file, "fail", "on", "purpose").Run(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("probe fail: got error %v, want exit code 7", err)
	}
}
