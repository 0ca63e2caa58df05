package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/build/engine"
	"slipway/build/solve"
	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/project/compose"
)

// TestUntrustedStateDir: an engine that slipway starts keeps what untrusted builds leave
// in a directory that no trusted build reads, be it a named one or the default.
func TestUntrustedStateDir(t *testing.T) {
	t.Parallel()
	p := &plan{untrusted: untrusted{why: "x", number: 12}}
	w := &world{}
	for _, dir := range []string{"", "/state"} {
		o := buildOptions{stateDir: dir}
		trusted, kept := o.engineSearch(w, &plan{}).StateDir, o.engineSearch(w, p).StateDir
		if trusted != dir || kept == trusted || filepath.Base(kept) != "untrusted" || dir != "" && !strings.HasPrefix(kept, dir) {
			t.Errorf("--engine-state %q: trusted in %q, untrusted in %q", dir, trusted, kept)
		}
	}
}

// TestUntrustedNamespace: only a managed engine needs none.
func TestUntrustedNamespace(t *testing.T) {
	t.Parallel()
	own, docker := &engine.Engine{Kind: engine.Managed}, &engine.Engine{Kind: engine.Docker}
	for _, tt := range []struct {
		u       untrusted
		engines []*engine.Engine
		want    string
	}{
		{untrusted{}, []*engine.Engine{docker}, ""},
		{untrusted{why: "x", number: 12}, []*engine.Engine{own}, ""},
		{untrusted{why: "x", number: 12}, []*engine.Engine{docker}, "pr12"},
		{untrusted{why: "x", number: 12}, []*engine.Engine{own, docker}, "pr12"},
		{untrusted{why: "x"}, []*engine.Engine{{Kind: engine.Buildkitd}}, "untrusted"},
	} {
		j := &job{plan: &plan{untrusted: tt.u}}
		if got := j.namespaceOn(tt.engines); got != tt.want {
			t.Errorf("%+v: namespace %q, want %q", tt.u, got, tt.want)
		}
	}
}

// TestUntrustedOwnEngine: with the managed engine and one state directory, a trusted
// build runs the steps that a pull request's build has run, for itself.
func TestUntrustedOwnEngine(t *testing.T) {
	t.Parallel()
	enginetest.Require(t)
	s := openShop(t, "untrusted own", sandbox.Options{}, "")
	program, err := probe()
	if err != nil {
		t.Fatal(err)
	}
	s.stockSome("untrusted own", []string{"a"})
	state := shortTemp(t)
	build := func(args ...string) {
		t.Helper()
		s.start(append([]string{toolsPath(t), "SLIPWAY_ENGINE=managed", "SLIPWAY_ENGINE_STATE=" + state, "build", "--progress", "plain"}, args...)...).wait(exitDone)
	}
	build("--hash", "zero", "--create-repositories")
	s.write("a/probe", program)
	s.write("a/Dockerfile", "FROM scratch\nCOPY --chmod=755 probe /probe\nRUN [\"/probe\",\"see\",\"time\",\"/time\"]\n")
	build("--hash", "one", "--untrusted", "--project-name", "shop")
	build("--hash", "one")
	build("--hash", "two")
	tags := s.tags()
	if one := tags["shop/a:one"]; one == "" || one == tags["shop/a:untrusted-one"] || one != tags["shop/a:two"] {
		t.Errorf("want one and two alike, and untrusted-one of its own: %v", tags)
	}
	if _, err := os.Stat(filepath.Join(state, "untrusted", "root")); err != nil {
		t.Errorf("the engine of the untrusted build kept no state of its own: %v", err)
	}
}

// TestMayBeSame: one repository, however its host is spelt.
func TestMayBeSame(t *testing.T) {
	t.Parallel()
	p := &plan{}
	for _, name := range []string{"shop/web", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api"} {
		ref, err := repositoryOf(solve.Target{Service: "s", Container: "s", Settings: compose.ServiceSettings{Repository: name}}, "shop", func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		p.services = append(p.services, service{repo: ref})
	}
	for ref, want := range map[string]string{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:x":       "x",
		"123456789012.dkr-ecr.us-east-1.on.aws/shop/web:x":              "x",
		"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/shop/web:x":  "x",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/shop/web:x":   "x",
		"123456789012.DKR.ECR.us-east-1.amazonaws.com/shop/web":         "latest",
		"localhost:5000/shop/web":                                       "latest",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api:x":       "x",
		"123456789012.dkr-ecr.eu-west-1.on.aws/shop/api:x":              "x",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/api:x":       "",
		"999999999999.dkr.ecr.eu-west-1.amazonaws.com/shop/api:x":       "",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web/cache:x": "",
		"ghcr.io/shop/web:x": "",
		"shop/web:x":         "",
	} {
		tag, own := p.ownTag(solve.Cache{Type: "registry", Attrs: map[string]string{"ref": ref}})
		if tag != want || own != (want != "") {
			t.Errorf("%s: tag %q, own %v, want %q", ref, tag, own, want)
		}
	}
	if _, own := p.ownTag(solve.Cache{Type: "gha"}); own {
		t.Error("a cache elsewhere lies in a repository of the project")
	}
}
