package solve_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/moby/buildkit/client"
	"golang.org/x/crypto/ssh/agent"

	"slipway/build/solve"
	"slipway/internal/testkit"
)

const secretsProject = `services:
  one:
    build:
      context: .
      secrets: [{source: file-one, target: token}, {source: env, target: other}]
      dockerfile_inline: DOCKERFILE
  two:
    build:
      context: .
      secrets: [{source: file-two, target: token}]
      dockerfile_inline: DOCKERFILE
secrets:
  file-one: {file: ./one.txt}
  file-two: {file: ./two.txt}
  env: {environment: OTHER}
`

// Each service gets its own value of an id that both use.
func TestSecretsReachTheirOwnService(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	tree := map[string]string{
		"compose.yaml": strings.ReplaceAll(secretsProject, "DOCKERFILE", inlined(probing("ARG SALT", "--mount=type=secret,id=token | see file /run/secrets/token /token"))),
		"one.txt":      "value one", "two.txt": "value two",
	}
	// The salt keeps the two steps apart in the cache, which does not hold secrets' values.
	tree["compose.yaml"] = strings.Replace(tree["compose.yaml"], "      secrets: [{source: file-one", "      args: {SALT: one}\n      secrets: [{source: file-one", 1)
	got := o.buildProject(t, tree, "OTHER=value three")
	o.want(t, got["one"], map[string]string{"token": "value one"})
	o.want(t, got["two"], map[string]string{"token": "value two"})
}

func TestSecretFromTheEnvironment(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	got := o.buildProject(t, map[string]string{
		"compose.yaml": "services: {app: {build: {context: ., secrets: [env]}}}\nsecrets: {env: {environment: OTHER}}\n",
		"Dockerfile":   probing("--mount=type=secret,id=env | see file /run/secrets/env /seen", "--mount=type=secret,id=env,env=NAMED | see env NAMED /named"),
	}, "OTHER=value three")
	o.want(t, got["app"], map[string]string{"seen": "value three", "named": "value three"})
}

// A secret that is only used leaves no trace in image, args, inputs or progress.
func TestSecretsStayPut(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	const value = "a value that is nowhere else"
	list := plan(t, testkit.WriteTree(t, withProbe(t, map[string]string{
		"compose.yaml": "services: {app: {build: {context: ., secrets: [file, env]}}}\nsecrets: {file: {file: ./s.txt}, env: {environment: OTHER}}\n",
		"s.txt":        value,
		"Dockerfile":   probing("--mount=type=secret,id=file --mount=type=secret,id=env,env=X | see time /when"),
	})), "OTHER="+value)
	var progress bytes.Buffer
	got := o.mustBuild(t, list, solve.RunOptions{Status: func(_ string, s *client.SolveStatus) {
		text, err := json.Marshal(s)
		if err != nil {
			t.Error(err)
		}
		progress.Write(text)
	}})["app"]
	img := o.image(t, got)
	config, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	rc := mutate.Extract(img)
	defer rc.Close()
	content, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string][]byte{"config": config, "files": content, "progress": progress.Bytes(), "plan": plan} {
		if len(text) == 0 || bytes.Contains(text, []byte(value)) {
			t.Errorf("the value is in the %s, or there is none of it (%d bytes)", where, len(text))
		}
	}
}

func TestSecretFileErrors(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	dir := testkit.WriteTree(t, withProbe(t, map[string]string{
		"compose.yaml": "services: {gone: {build: {context: ., secrets: [gone]}}, large: {build: {context: ., secrets: [large]}}}\nsecrets: {gone: {file: ./gone}, large: {file: ./large}}\n",
		"Dockerfile":   "FROM scratch\nCOPY Dockerfile /\n", "gone": "", "large": "",
	}))
	list := plan(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 500<<10+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 500<<10+1), 0o600); err != nil {
		t.Fatal(err)
	}
	got := o.build(t.Context(), t, list, solve.RunOptions{})
	wantRemedy(t, got["gone"].Err, "services.gone.build.secrets.gone: open "+dir+"/gone: no such file or directory")
	wantRemedy(t, got["large"].Err, "services.large.build.secrets.large: \""+dir+"/large\": is larger than the limit of 500 KiB")
}

// wantRemedy checks that err is an InputError with this text and a remedy.
func wantRemedy(t *testing.T, err error, want string) {
	t.Helper()
	if testkit.WantInputError(t, err, want).Hint() == "" {
		t.Errorf("no hint with %q", err)
	}
}

func TestSSHAgent(t *testing.T) {
	o := newBuildFixture(t)
	t.Parallel()
	one, two := serveAgent(t, 1), serveAgent(t, 2)
	got := o.buildProject(t, map[string]string{
		"compose.yaml": `services:
  app: {build: {context: ., ssh: [default, "second=` + two + `"]}}
  bare: {build: {context: ., dockerfile: Bare}}
`,
		"Dockerfile": probing("--mount=type=ssh | see agent /default", "--mount=type=ssh,id=second | see agent /second"),
		"Bare":       probing("see env SSH_AUTH_SOCK /socket"),
	}, "SSH_AUTH_SOCK="+one)
	o.want(t, got["app"], map[string]string{"default": "1", "second": "2"})
	o.want(t, got["bare"], map[string]string{"socket": ""})
}

// serveAgent is an ssh agent with n keys; it returns the socket's path.
func serveAgent(t *testing.T, n int) string {
	t.Helper()
	keys := agent.NewKeyring()
	for range n {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(testkit.ShortDir(t), "agent")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go testkit.Accept(l, func(conn net.Conn) {
		defer conn.Close()
		if err := agent.ServeAgent(keys, conn); err != nil && !errors.Is(err, io.EOF) {
			t.Log(err)
		}
	})
	return socket
}
