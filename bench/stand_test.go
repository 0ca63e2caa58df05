package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// TestDigests proves that a build which pushed too little does not count.
func TestDigests(t *testing.T) {
	aws := testkit.StartSandbox(t, sandbox.Options{})
	s := &stand{env: aws.Env(), home: t.TempDir()}
	if err := s.logIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.home + "/config.json"); err != nil {
		t.Error(err)
	}
	services := []string{"s1", "s2"}
	if err := s.createRepositories(t.Context(), "p", services); err != nil {
		t.Fatal(err)
	}
	whole := push(t, s, "p/s1:one", dataMB<<20/2)
	if _, err := s.digests(t.Context(), "p", "one", services); err == nil || !strings.Contains(err.Error(), "ImageNotFound") {
		t.Errorf("with an image missing: %v", err)
	}
	push(t, s, "p/s2:one", 1<<10)
	if _, err := s.digests(t.Context(), "p", "one", services); err == nil || !strings.Contains(err.Error(), "p/s2:one: only") {
		t.Errorf("with an image too small: %v", err)
	}
	if got, err := s.digests(t.Context(), "p", "one", services[:1]); err != nil || got != whole {
		t.Errorf("got %q, %v, want %q", got, err, whole)
	}
}

func push(t *testing.T, s *stand, ref string, size int64) string {
	t.Helper()
	to, err := name.NewTag(s.host + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	image, err := random.Image(size, 1)
	if err != nil {
		t.Fatal(err)
	}
	auth := &authn.Basic{Username: s.login.Username, Password: s.login.Password}
	if err := remote.Write(to, image, remote.WithAuth(auth), remote.WithContext(context.WithoutCancel(t.Context()))); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func TestParseExports(t *testing.T) {
	got, err := parseExports([]byte("export A=1\nexport B=x=y\n"))
	if err != nil || !slices.Equal(got, []string{"A=1", "B=x=y"}) {
		t.Errorf("got %q, %v, want A=1 and B=x=y", got, err)
	}
	for _, bad := range []string{"A=1\n", "export A\n", "export A=1\nready\n"} {
		if got, err := parseExports([]byte(bad)); err == nil {
			t.Errorf("%q gave %q", bad, got)
		}
	}
}

func FuzzParseExports(f *testing.F) {
	f.Add([]byte("export AWS_REGION=us-east-1\nexport B=\n"))
	f.Add([]byte("export =\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseExports(data)
		for _, e := range entries {
			if !strings.Contains(e, "=") || strings.Contains(e, "\n") {
				t.Errorf("entry %q, error %v", e, err)
			}
		}
	})
}
