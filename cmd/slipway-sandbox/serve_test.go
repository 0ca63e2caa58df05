package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets the test binary stand in for the program, for the test that
// needs a process to send a signal to.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_SLIPWAY_SANDBOX") == "1" {
		main()
	}
	os.Exit(m.Run())
}

func TestServeUntilSignal(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			dir := t.TempDir()
			c := exec.CommandContext(t.Context(), os.Args[0], "serve", "--addr", "127.0.0.1:0", "--region", "eu-west-1", "--dir", dir)
			c.Env = append(os.Environ(), "RUN_AS_SLIPWAY_SANDBOX=1")
			var stderr bytes.Buffer
			c.Stderr = &stderr
			stdout, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			env := readEnv(t, stdout)
			if env["AWS_REGION"] != "eu-west-1" || env["AWS_ACCESS_KEY_ID"] == "" {
				t.Errorf("environment is %v", env)
			}
			resp, err := http.Get(env["AWS_ENDPOINT_URL"] + "/v2/")
			if err != nil {
				t.Fatalf("not ready after the export lines: %v", err)
			}
			resp.Body.Close()
			if err := c.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(); err != nil {
				t.Errorf("ended with %v\n%s", err, &stderr)
			}
			if !strings.HasPrefix(stderr.String(), "serving ") || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("stderr is %q, want one line", stderr.String())
			}
			left, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// readEnv reads export lines up to the last one, AWS_EC2_METADATA_DISABLED.
func readEnv(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	env := map[string]string{}
	lines := bufio.NewScanner(r)
	for env["AWS_EC2_METADATA_DISABLED"] == "" && lines.Scan() {
		line, ok := strings.CutPrefix(lines.Text(), "export ")
		if !ok {
			t.Fatalf("stdout has %q", lines.Text())
		}
		key, value, _ := strings.Cut(line, "=")
		env[key] = value
	}
	return env
}

func TestUsage(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		args           []string
		code           int
		stdout, stderr string // what they must contain
	}{
		{[]string{}, exitUsage, "", "a command is needed"},
		{[]string{"--help"}, exitDone, "serve", ""},
		{[]string{"serve", "--help"}, exitDone, "Exit codes:", ""},
		{[]string{"frobnicate"}, exitUsage, "", `unknown command "frobnicate"`},
		{[]string{"serve", "more"}, exitUsage, "", "takes no arguments"},
		{[]string{"serve", "--nope"}, exitUsage, "", "--nope"},
		{[]string{"serve", "--addr", "nonsense"}, exitUsage, "", "must be host:port"},
		{[]string{"serve", "--addr", "127.0.0.1:http!"}, exitUsage, "", "must be a number"},
		{[]string{"serve", "--account", "12"}, exitUsage, "", "twelve digits"},
		{[]string{"serve", "--token-lifetime", "soon"}, exitUsage, "", "token-lifetime"},
		{[]string{"serve", "--ecs-speed", "-1"}, exitUsage, "", "must be above 0"},
		{[]string{"serve", "--addr", taken.Addr().String()}, exitError, "", "in use"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), test.args, &stdout, &stderr); code != test.code {
				t.Errorf("exit code is %d, want %d", code, test.code)
			}
			if !strings.Contains(stdout.String(), test.stdout) {
				t.Errorf("stdout is %q, want %q in it", stdout.String(), test.stdout)
			}
			if test.stdout == "" && stdout.Len() > 0 {
				t.Errorf("stdout is %q, want none", stdout.String())
			}
			if !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("stderr is %q, want %q in it", stderr.String(), test.stderr)
			}
		})
	}
}
