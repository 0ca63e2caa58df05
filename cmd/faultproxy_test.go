package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// faultProxy stands between slipway, the engine and the sandbox, and treats
// requests as its rules say.
type faultProxy struct {
	server *httptest.Server
	proxy  *httputil.ReverseProxy

	mu        sync.Mutex
	rules     []*rule
	passwords map[string]bool
}

// request is one request of ECR's API, of ECS's or of the registry's.
type request struct {
	// action is "PutImage" or "PUT manifest", as the sandbox names its calls. For ECS,
	// repository is the service's name.
	action, repository, tag string
	api                     bool
}

// rule treats the requests that match it, from the one after skip on, and times
// of them; all if times is 0.
type rule struct {
	match       func(request) bool
	skip, times int
	treat       treatment
	seen        int
}

// treatment answers a request. forward carries it out, whether or not its
// sender still waits.
type treatment func(w http.ResponseWriter, q request, forward func(http.ResponseWriter))

func newFaultProxy(t *testing.T) *faultProxy {
	t.Helper()
	p := &faultProxy{passwords: map[string]bool{}}
	p.server = httptest.NewUnstartedServer(p)
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	return p
}

// host is the proxy's host:port, known before it serves.
func (p *faultProxy) host() string { return p.server.Listener.Addr().String() }

// start serves in front of a target until the test ends.
func (p *faultProxy) start(t *testing.T, target string) {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		ErrorLog:     log.New(io.Discard, "", 0),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.server.Start()
	t.Cleanup(p.server.Close)
}

// set replaces the rules. The first that matches treats a request.
func (p *faultProxy) set(rules ...*rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = rules
}

// tokens are the passwords that were sent to the registry.
func (p *faultProxy) tokens() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for password := range p.passwords {
		out = append(out, password)
	}
	return out
}

func (p *faultProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := newRequest(r)
	forward := func(w http.ResponseWriter) { p.proxy.ServeHTTP(w, r) }
	if q.api {
		// What is on its way arrives, also if its sender hangs up or is killed.
		lasting, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
		defer cancel()
		r = r.WithContext(lasting)
	}
	if treat := p.pick(q, r); treat != nil {
		treat(w, q, forward)
		return
	}
	forward(w)
}

func (p *faultProxy) pick(q request, r *http.Request) treatment {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, password, ok := r.BasicAuth(); ok {
		p.passwords[password] = true
	}
	for _, rule := range p.rules {
		if !rule.match(q) {
			continue
		}
		rule.seen++
		if n := rule.seen - rule.skip; n > 0 && (rule.times == 0 || n <= rule.times) {
			return rule.treat
		}
	}
	return nil
}

// count is how many requests matched a rule.
func (p *faultProxy) count(r *rule) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return r.seen
}

var registryPath = regexp.MustCompile(`^/v2/(.+)/(manifests|blobs)/(uploads/?)?(.*)$`)

func newRequest(r *http.Request) request {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		body, _ := io.ReadAll(r.Body) // a sender that hangs up gets no answer anyway
		r.Body = io.NopCloser(bytes.NewReader(body))
		var in struct{ RepositoryName, ImageTag, Service string }
		_ = json.Unmarshal(body, &in)
		if in.RepositoryName == "" {
			in.RepositoryName = in.Service[strings.LastIndexByte(in.Service, '/')+1:]
		}
		_, action, _ := strings.Cut(target, ".")
		return request{action, in.RepositoryName, in.ImageTag, true}
	}
	m := registryPath.FindStringSubmatch(r.URL.Path)
	switch {
	case m == nil:
		return request{action: r.Method + " " + r.URL.Path}
	case m[2] == "manifests":
		return request{action: r.Method + " manifest", repository: m[1], tag: m[4]}
	case m[3] != "":
		return request{action: r.Method + " upload", repository: m[1]}
	default:
		return request{action: r.Method + " blob", repository: m[1]}
	}
}

// on matches an action, in one repository and for one tag if they are given.
func on(action, repository, tag string) func(request) bool {
	return func(q request) bool {
		return q.action == action && (repository == "" || q.repository == repository) && (tag == "" || q.tag == tag)
	}
}

// fault is a treatment with a name for tables.
type proxyFault struct {
	name  string
	treat treatment
}

var (
	serverError = proxyFault{"500", func(w http.ResponseWriter, q request, _ func(http.ResponseWriter)) {
		writeFault(w, q, http.StatusInternalServerError, "ServerException", "UNKNOWN")
	}}
	// AWS's JSON APIs throttle with status 400, the registry with 429.
	throttled = proxyFault{"429", func(w http.ResponseWriter, q request, _ func(http.ResponseWriter)) {
		status := http.StatusTooManyRequests
		if q.api {
			status = http.StatusBadRequest
		}
		writeFault(w, q, status, "ThrottlingException", "TOOMANYREQUESTS")
	}}
	cutOff = proxyFault{"cut before it was carried out", func(http.ResponseWriter, request, func(http.ResponseWriter)) {
		panic(http.ErrAbortHandler)
	}}
	answerLost = proxyFault{"cut after it was carried out", func(_ http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
		forward(httptest.NewRecorder())
		panic(http.ErrAbortHandler)
	}}
)

func writeFault(w http.ResponseWriter, q request, status int, apiCode, registryCode string) {
	if q.api {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"__type":%q,"message":"said the proxy"}`, apiCode)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"said the proxy"}]}`, registryCode)
}

// gate holds requests, or their answers if after, until the test lets them go.
type gate struct {
	arrived chan request
	after   bool

	once  sync.Once
	open  chan struct{}
	carry bool
}

// newGate makes a gate that drops what it holds when the test ends.
func newGate(t *testing.T, after bool) *gate {
	g := &gate{arrived: make(chan request, 100), open: make(chan struct{}), after: after}
	t.Cleanup(func() { g.release(false) })
	return g
}

// release lets all requests go on, those held and those to come, or drops them.
func (g *gate) release(carry bool) {
	g.once.Do(func() {
		g.carry = carry
		close(g.open)
	})
}

func (g *gate) treat(w http.ResponseWriter, q request, forward func(http.ResponseWriter)) {
	answer := httptest.NewRecorder()
	if g.after {
		forward(answer)
	}
	g.arrived <- q
	<-g.open
	switch {
	case !g.carry:
		panic(http.ErrAbortHandler)
	case !g.after:
		forward(w)
	default:
		for k, v := range answer.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // the client has gone if this fails
	}
}
