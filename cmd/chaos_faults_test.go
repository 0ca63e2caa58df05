package cmd

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

var (
	unavailable = proxyFault{"503", func(w http.ResponseWriter, q request, _ func(http.ResponseWriter)) {
		writeFault(w, q, http.StatusServiceUnavailable, "ServiceUnavailableException", "UNAVAILABLE")
	}}
	delayed = proxyFault{"late", func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
		time.Sleep(300 * time.Millisecond)
		forward(w)
	}}
	truncated = proxyFault{"carried out, half of the answer", func(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
		answer := httptest.NewRecorder()
		forward(answer)
		body := answer.Body.Bytes()
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	}}
	emptied = proxyFault{"an empty 200", func(w http.ResponseWriter, q request, _ func(http.ResponseWriter)) {
		w.WriteHeader(http.StatusOK)
		if q.api {
			fmt.Fprint(w, "{}")
		}
	}}
	garbage = proxyFault{"garbage", func(w http.ResponseWriter, _ request, _ func(http.ResponseWriter)) {
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte("<\x00\xff{[not an answer"))
	}}
	allFaults = []proxyFault{serverError, unavailable, throttled, cutOff, answerLost, delayed, truncated, emptied, garbage}
)

// randomFaults treats some requests with faults, at most a number of them. What holds a
// request until the client gives up is only for AWS: the engine has limits of its own.
type randomFaults struct {
	t      *testing.T
	silent treatment

	mu     sync.Mutex
	random *rand.Rand
	rate   float64
	left   int
	trace  []string
}

func newRandomFaults(t *testing.T, random *rand.Rand) *randomFaults {
	return &randomFaults{
		t: t, silent: newGate(t, false).treat,
		random: rand.New(rand.NewPCG(random.Uint64(), 0)), rate: []float64{0.03, 0.1, 0.3, 0.8}[random.IntN(4)], left: 1 + random.IntN(12),
	}
}

func (f *randomFaults) rule() *rule { return &rule{match: f.hit, treat: f.treat} }

func (f *randomFaults) hit(request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left == 0 || f.random.Float64() >= f.rate {
		return false
	}
	f.left--
	return true
}

func (f *randomFaults) treat(w http.ResponseWriter, q request, forward func(http.ResponseWriter)) {
	f.pick(q).treat(w, q, forward)
}

func (f *randomFaults) pick(q request) proxyFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.random.IntN(len(allFaults) + 1)
	picked := proxyFault{"no answer", f.silent}
	if n < len(allFaults) {
		picked = allFaults[n]
	} else if !q.api {
		picked = cutOff
	}
	f.trace = append(f.trace, fmt.Sprintf("%s %s:%s: %s", q.action, q.repository, q.tag, picked.name))
	return picked
}

// String lists what was done to which request.
func (f *randomFaults) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("%d faults:\n  %s", len(f.trace), strings.Join(f.trace, "\n  "))
}

// killer ends a process at one of its requests, or after a time.
type killer struct {
	// soft is for SIGTERM instead of SIGKILL.
	soft bool
	// request is the number of the request at which it strikes, and carry whether the
	// request arrives all the same.
	request int
	carry   bool
	// delay is the time after which it strikes, if request is 0.
	delay time.Duration

	target chan *process
}

// newKiller strikes at one of some requests.
func newKiller(random *rand.Rand, requests int) *killer {
	k := &killer{soft: random.IntN(5) == 0, carry: random.IntN(2) == 0, target: make(chan *process, 1)}
	if random.IntN(3) == 0 {
		k.delay = time.Duration(random.IntN(1500)) * time.Millisecond
	} else {
		k.request = 1 + random.IntN(max(requests, 1))
	}
	return k
}

func (k *killer) rule() *rule {
	skip := k.request - 1
	if k.request == 0 {
		skip = 1 << 30
	}
	return &rule{match: func(request) bool { return true }, skip: skip, times: 1, treat: k.treat}
}

// aim says which process it is.
func (k *killer) aim(r *process) {
	k.target <- r
	if k.request == 0 {
		time.AfterFunc(k.delay, k.strike)
	}
}

func (k *killer) treat(w http.ResponseWriter, _ request, forward func(http.ResponseWriter)) {
	k.strike()
	if !k.carry {
		panic(http.ErrAbortHandler)
	}
	forward(w)
}

func (k *killer) strike() {
	r := <-k.target
	signal := syscall.SIGKILL
	if k.soft {
		signal = syscall.SIGTERM
	}
	_ = r.cmd.Process.Signal(signal) // it may have ended
}

// String says how the process was ended.
func (k *killer) String() string {
	return fmt.Sprintf("killed at request %d (arrives: %t) or after %s, SIGTERM: %t", k.request, k.carry, k.delay, k.soft)
}

// read returns a file of the project.
func (s *buildFixture) read(file string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, file))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// pullable checks that each tagged image is whole: manifest, configuration and layers.
func (c *randomBuildFixture) pullable() {
	c.t.Helper()
	for tagged := range c.tags() {
		ref, err := name.ParseReference(strings.TrimPrefix(c.aws.URL(), "http://")+"/"+tagged, name.Insecure)
		if err != nil {
			c.t.Fatal(err)
		}
		image, err := remote.Image(ref, remote.WithContext(c.t.Context()), remote.WithAuth(c.sandbox.login(c.t.Context())))
		if err == nil {
			err = readWhole(image)
		}
		if err != nil {
			c.t.Errorf("%s cannot be pulled: %v", tagged, err)
		}
	}
}

// readWhole reads an image, whose digests the client checks.
func readWhole(image v1.Image) error {
	if _, err := image.ConfigFile(); err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		blob, err := layer.Compressed()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, blob)
		blob.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// tidy checks that no temporary file is left in the project.
func (c *randomBuildFixture) tidy() {
	c.t.Helper()
	left, err := filepath.Glob(filepath.Join(c.dir, ".*.tmp"))
	if err != nil || len(left) > 0 {
		c.t.Errorf("temporary files are left: %v, %v", left, err)
	}
}
