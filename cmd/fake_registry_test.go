package cmd

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"slipway/internal/enginetest"
	"slipway/internal/sandbox"
	"slipway/internal/testkit"
)

// fakeRegistry answers as a registry under any host name, with a certificate that its clients
// trust, and notes who logged in where.
type fakeRegistry struct {
	// env makes slipway and the engine that it starts go there for every host but
	// loopback: by a proxy, and with the certificate's authority.
	env []string
	// redirects are hosts that redirect all requests to another one.
	redirects map[string]string

	mu sync.Mutex
	// authorizations is what each host was sent as Authorization, by host; empty entries are
	// requests without.
	authorizations map[string][]string
}

func newFakeRegistry(t *testing.T, hosts ...string) *fakeRegistry {
	t.Helper()
	i := &fakeRegistry{redirects: map[string]string{}, authorizations: map[string][]string{}}
	var names []string
	for _, h := range hosts {
		name, _, _ := strings.Cut(h, ":")
		names = append(names, name)
	}
	certificate, authority := testkit.ServerCertificate(t, names...)
	registry := httptest.NewUnstartedServer(i)
	registry.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	registry.StartTLS()
	t.Cleanup(registry.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		tunnel(w, registry.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	i.env = []string{"HTTPS_PROXY=" + proxy.URL, "HTTP_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + authority, "SSL_CERT_DIR=" + t.TempDir()}
	return i
}

// ServeHTTP asks for a login and, given one, knows no image.
func (i *fakeRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.authorizations[r.Host] = append(i.authorizations[r.Host], r.Header.Get("Authorization"))
	i.mu.Unlock()
	if to := i.redirects[r.Host]; to != "" {
		http.Redirect(w, r, "https://"+to+r.URL.Path, http.StatusTemporaryRedirect)
		return
	}
	if r.Header.Get("Authorization") == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

// saw returns the users that logged in to a host, and whether the host was asked at all.
func (i *fakeRegistry) saw(t *testing.T, host string) (users []string, asked bool) {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, header := range i.authorizations[host] {
		if header == "" {
			continue
		}
		plain, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, "Basic "))
		if err != nil {
			t.Errorf("%s was sent %q", host, header)
		}
		user, _, _ := strings.Cut(string(plain), ":")
		users = append(users, user)
	}
	return users, len(i.authorizations[host]) > 0
}

// forget starts over.
func (i *fakeRegistry) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.authorizations = map[string][]string{}
}

// tunnel joins a client's connection to an address.
func tunnel(w http.ResponseWriter, address string) {
	there, err := net.Dial("tcp", address)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, read, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	go func() {
		// The server may have read the client's first bytes already.
		_, _ = io.Copy(there, read)
		there.Close()
	}()
	_, _ = io.Copy(here, there)
}

// The hosts of TestTokenGoesToAWSAlone.
const (
	evilFrom    = "123456789012.dkr.ecr.us-east-1.evil.example"
	evilCopy    = "123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example"
	evilSyntax  = "123456789012.dkr.ecr.us-east-1.amazonaws.com-evil.example"
	evilCache   = "123456789012.dkr-ecr.us-east-1.on.aws.evil.example"
	evilContext = "123456789012.dkr.ecr.us-east-1.amazonaws.com:8443"
	evilRegion  = "123456789012.dkr.ecr.cn-north-1.amazonaws.com"
	trueECR     = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
)

// TestTokenGoesToAWSAlone builds and examines Dockerfiles that name images in hosts whose
// names begin like ECR's. A real registry is there for each, with a certificate that is
// trusted: none of them gets the token, but the one with ECR's own name.
func TestTokenGoesToAWSAlone(t *testing.T) {
	t.Parallel()
	enginetest.Require(t)
	evil := []string{evilFrom, evilCopy, evilSyntax, evilCache, evilContext, evilRegion}
	i := newFakeRegistry(t, append(evil, trueECR)...)
	s := newBuildFixtureOn(t, "impostor", sandbox.Options{}, "")
	s.write("compose.yaml", fmt.Sprintf(`name: shop
services:
  from: {build: {context: ./from}}
  copy: {build: {context: ./copy}}
  syntax: {build: {context: ./syntax}}
  cache: {build: {context: ./a, cache_from: ["%s/c:1"]}}
  context: {build: {context: ./context, additional_contexts: {base: "docker-image://%s/b:1"}}}
  region: {build: {context: ./region}}
  ecr: {build: {context: ./ecr}}
`, evilCache, evilContext))
	s.write("from/Dockerfile", "FROM "+evilFrom+"/x:1\n")
	s.write("copy/Dockerfile", "FROM scratch\nCOPY --from="+evilCopy+"/x:1 /a /a\n")
	s.write("syntax/Dockerfile", "# syntax="+evilSyntax+"/x:1\nFROM scratch\nCOPY Dockerfile /\n")
	s.write("context/Dockerfile", "FROM scratch\nCOPY --from=base /a /a\n")
	s.write("region/Dockerfile", "FROM "+evilRegion+"/x:1\n")
	s.write("ecr/Dockerfile", "FROM "+trueECR+"/x:1\n")
	env := append([]string{toolsPath(t), "SLIPWAY_ENGINE_STATE=" + testkit.ShortDir(t)}, i.env...)
	check := func(by string, hosts ...string) {
		t.Helper()
		for _, host := range hosts {
			users, asked := i.saw(t, host)
			if !asked || len(users) > 0 {
				t.Errorf("%s: %s was asked: %v, and was sent the logins of %v", by, host, asked, users)
			}
		}
		if users, _ := i.saw(t, trueECR); len(users) == 0 || users[0] != "AWS" {
			t.Errorf("%s: ECR itself was sent the logins of %v", by, users)
		}
		i.forget()
	}
	s.build(append(env, "one", "--engine", "managed")...).wait(exitBuild)
	check("build", evil...)
	// doctor asks from this host, and looks for no layer cache.
	r := s.start(append(env, "doctor", "--engine", "managed")...).wait(exitOther, exitUsage, exitAWS)
	check("doctor", evilFrom, evilCopy, evilSyntax, evilContext, evilRegion)
	if t.Failed() {
		t.Logf("doctor printed\n%s", &r.stdout)
	}
}

// TestLoginsForThePlanAlone has a registry send the engine to another one, which no image
// of the plan is in: the engine gets no login for that, and the failure says so.
func TestLoginsForThePlanAlone(t *testing.T) {
	t.Parallel()
	enginetest.Require(t)
	const planned, other, here = "registry.corp.example", "secret.corp.example", "moved.example"
	i := newFakeRegistry(t, planned, other, here)
	i.redirects[here] = other
	s := newBuildFixtureOn(t, "logins", sandbox.Options{}, "")
	s.write("compose.yaml", "name: shop\nservices:\n  a: {build: ./a}\n  b: {build: {context: ./b, args: {BASE: "+planned+"/x}}}\n")
	s.write("a/Dockerfile", "FROM "+here+"/x:1\n")
	s.write("b/Dockerfile", "ARG BASE\nFROM $BASE:1\n")
	login := base64.StdEncoding.EncodeToString([]byte("somebody:pass-phrase"))
	docker := t.TempDir()
	config := fmt.Sprintf(`{"auths": {%q: {"auth": %q}, %q: {"auth": %q}}}`, planned, login, other, login)
	if err := os.WriteFile(filepath.Join(docker, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append([]string{toolsPath(t), "SLIPWAY_ENGINE_STATE=" + testkit.ShortDir(t), "DOCKER_CONFIG=" + docker}, i.env...)
	r := s.build(append(env, "one", "--engine", "managed", "--log-level", "debug")...).wait(exitBuild)
	if users, _ := i.saw(t, planned); len(users) == 0 || users[0] != "somebody" {
		t.Errorf("the registry of the plan was sent the logins of %v", users)
	}
	if users, asked := i.saw(t, other); !asked || len(users) > 0 {
		t.Errorf("the other registry was asked: %v, and was sent the logins of %v", asked, users)
	}
	r.says(`the engine asked for a login for "` + other + `"`)
}
