package cmd

import (
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/internal/sandbox"
)

// TestTokensLeaveNoTrace is promise 6.
func TestTokensLeaveNoTrace(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "tokens", sandbox.Options{})
	r := s.start("build", "--create-repositories", "--hash", "one", "--log-level", "debug", "--cache", "registry", "--progress", "plain").wait(exitDone)
	tokens := s.proxy.tokens()
	if len(tokens) == 0 {
		t.Fatal("no token was seen: this test proves nothing")
	}
	for _, token := range tokens {
		if strings.Contains(r.stderr.String()+r.stdout.String(), token) {
			t.Error("the token is in the output")
		}
		for path, content := range s.state() {
			if strings.Contains(content, token) {
				t.Errorf("the token is in %s", path)
			}
		}
	}
	err := filepath.WalkDir(s.home, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != s.home {
			t.Errorf("%s was written", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTokenExpires lets ECR's token run out in the middle of the pushes.
func TestTokenExpires(t *testing.T) {
	t.Parallel()
	const life, more = 12 * time.Second, 13 * time.Second
	t.Run("by the clock that slipway knows", func(t *testing.T) {
		t.Parallel()
		s := newBuildFixture(t, "expires", sandbox.Options{TokenLifetime: life})
		slow := func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
			<-time.After(more)
			forward(w)
		}
		s.proxy.set(&rule{match: on("PUT manifest", "", ""), times: len(componentNames), treat: slow})
		s.renewed()
	})
	t.Run("although it should be good", func(t *testing.T) {
		t.Parallel()
		s := newBuildFixture(t, "expires early", sandbox.Options{})
		moved := func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
			s.aws.Advance(13 * time.Hour)
			forward(w)
		}
		s.proxy.set(&rule{match: on("PUT manifest", "", ""), times: 1, treat: moved})
		s.renewed()
	})
}

func (s *buildFixture) renewed() {
	s.t.Helper()
	s.build("one").wait(exitDone).says("expired")
	s.complete("one", true)
	s.defines("one")
	if n := s.calls("ecr", "GetAuthorizationToken"); n < 2 {
		s.t.Errorf("%d calls of GetAuthorizationToken, want more than one", n)
	}
}
