package testkit

import (
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// GitServer serves one git repository over HTTP.
type GitServer struct {
	// URL is the address of the repository; it ends in ".git".
	URL string

	t    testing.TB
	work string
}

// ServeGit commits a tree to the branch main of a new repository and serves it
// until the test ends. The test is skipped with a message where git's server side
// is missing.
func ServeGit(t testing.TB, tree map[string]string) *GitServer {
	t.Helper()
	libexec, err := exec.Command("git", "--exec-path").Output()
	backend := filepath.Join(strings.TrimSpace(string(libexec)), "git-http-backend")
	if err == nil {
		_, err = os.Stat(backend)
	}
	if err != nil {
		t.Skipf("LEFT OUT: git cannot serve over http here: %v", err)
	}
	root := t.TempDir()
	server := httptest.NewServer(&cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}, Stderr: os.Stderr})
	t.Cleanup(server.Close)
	s := &GitServer{URL: server.URL + "/code.git", t: t, work: t.TempDir()}
	s.Git("init", "-q", "-b", "main", "--separate-git-dir", filepath.Join(root, "code.git"))
	s.Commit(tree)
	return s
}

// Commit writes files, commits them to the current branch, and returns the commit
// ID.
func (s *GitServer) Commit(tree map[string]string) string {
	s.t.Helper()
	for name, text := range tree {
		path := filepath.Join(s.work, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	s.Git("add", ".")
	s.Git("commit", "-q", "-m", "a commit")
	return s.Git("rev-parse", "HEAD")
}

// Git runs git in the working tree and returns what it prints.
func (s *GitServer) Git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = s.work
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}
