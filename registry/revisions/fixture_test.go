package revisions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/sandbox"
	"slipway/internal/testkit"
	"slipway/registry"
	"slipway/registry/manifests"
	"slipway/registry/tags"
)

// registryFixture is a sandbox with some repositories, and a wire to it that
// can fail.
type registryFixture struct {
	t         *testing.T
	server    *sandbox.Server
	transport *flakyTransport
	clients   registry.Clients
	// direct are clients whose calls never fail and are not counted.
	direct registry.Clients
	repos  []registry.Repository
	auth   authn.Authenticator
}

func newRegistryFixture(t *testing.T, names ...string) *registryFixture {
	t.Helper()
	server, direct := testkit.StartECR(t)
	s := &registryFixture{t: t, server: server, direct: direct, transport: &flakyTransport{}}
	s.clients = s.over(s.transport)
	var refs []registry.Ref
	for _, name := range names {
		refs = append(refs, registry.Ref{Name: name})
	}
	made := mustCreate(t, server, direct, refs...)
	for _, ref := range refs {
		s.repos = append(s.repos, made[ref])
	}
	s.auth = testkit.ECRLogin(t, direct(""))
	return s
}

// over gives clients whose requests go over a wire.
func (s *registryFixture) over(w *flakyTransport) registry.Clients {
	return func(region string) *ecr.Client {
		options := s.direct(region).Options()
		options.HTTPClient = &http.Client{Transport: w}
		return ecr.New(options)
	}
}

// mutable lets all tags move.
func (s *registryFixture) mutable() {
	s.t.Helper()
	for _, repo := range s.repos {
		_, err := s.direct("").PutImageTagMutability(s.t.Context(), &ecr.PutImageTagMutabilityInput{
			RepositoryName: aws.String(repo.Name), ImageTagMutability: types.ImageTagMutabilityMutable,
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// extra adds a tag to all images of a publication.
func (s *registryFixture) extra(p *Publication, tag string) {
	for i := range p.Images {
		p.Images[i].Extra = append(p.Images[i].Extra, tag)
	}
}

// image is a new one, different from all others.
func image(t *testing.T) v1.Image {
	t.Helper()
	i, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (s *registryFixture) images() []v1.Image {
	out := make([]v1.Image, len(s.repos))
	for i := range out {
		out[i] = image(s.t)
	}
	return out
}

// push puts one image into each repository, by digest and under the tags.
func (s *registryFixture) push(images []v1.Image, tags ...string) []string {
	s.t.Helper()
	digests := make([]string, len(images))
	for i, img := range images {
		digests[i] = s.pushOne(i, img, tags...)
	}
	return digests
}

func (s *registryFixture) pushOne(repo int, img v1.Image, tags ...string) string {
	s.t.Helper()
	digest, err := img.Digest()
	if err != nil {
		s.t.Fatal(err)
	}
	uri := s.repos[repo].URI
	err = remote.Write(uri.Digest(digest.String()), img, remote.WithAuth(s.auth))
	for _, tag := range tags {
		err = errors.Join(err, remote.Tag(uri.Tag(tag), img, remote.WithAuth(s.auth)))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return digest.String()
}

// publication is of one digest for each repository.
func (s *registryFixture) publication(hash string, digests []string) Publication {
	p := Publication{Variant: variantOf(hash)}
	for i, repo := range s.repos {
		p.Images = append(p.Images, RevisionImage{Repository: repo, Digest: digests[i]})
	}
	return p
}

func variantOf(hash string) Variant {
	return func(n int) string {
		if n == 1 {
			return hash
		}
		return fmt.Sprintf("%s.%d", hash, n)
	}
}

// published publishes and fails the test if that does.
func (s *registryFixture) published(p Publication) Published {
	s.t.Helper()
	out, err := Publish(s.t.Context(), s.clients, p)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// tags is every tag of every repository with its digest.
func (s *registryFixture) tags() map[string]string {
	out := map[string]string{}
	for _, repo := range s.repos {
		for tag, digest := range s.server.Tags(repo.Name) {
			out[repo.Name+":"+tag] = digest
		}
	}
	return out
}

// wantTags checks where the tags stand: in every repository a tag on the
// digest of that repository.
func (s *registryFixture) wantTags(want map[string][]string) {
	s.t.Helper()
	all := map[string]string{}
	for tag, digests := range want {
		for i, repo := range s.repos {
			if digests[i] != "" {
				all[repo.Name+":"+tag] = digests[i]
			}
		}
	}
	s.wantState(all)
}

func (s *registryFixture) wantState(want map[string]string) {
	s.t.Helper()
	got := s.tags()
	if reflect.DeepEqual(got, want) {
		return
	}
	for at, digest := range want {
		if got[at] != digest {
			s.t.Errorf("%s stands on %q, want %q", at, got[at], digest)
		}
	}
	for at, digest := range got {
		if _, ok := want[at]; !ok {
			s.t.Errorf("%s stands on %s, want no such tag", at, digest)
		}
	}
}

// move puts a tag on an image past the wire, as somebody else would.
func (s *registryFixture) move(repo int, tag, digest string) {
	s.t.Helper()
	ids := []types.ImageIdentifier{{ImageDigest: aws.String(digest)}}
	found, err := manifests.Read(s.t.Context(), s.direct(""), s.repos[repo], ids)
	if err != nil || len(found) != 1 {
		s.t.Fatalf("reading %s: %v, %v", digest, found, err)
	}
	img := Image{Digest: digest, MediaType: *found[0].ImageManifestMediaType, Manifest: *found[0].ImageManifest}
	if err := tags.Put(s.t.Context(), s.direct(""), s.repos[repo], tag, img); err != nil {
		s.t.Fatal(err)
	}
}

// fault is what goes wrong with a request.
type failure int

const (
	fine    failure = iota
	refused         // answered with an error, and not carried out
	cut             // no answer, and not carried out
	lost            // carried out, but no answer
	hollow          // answered with status 200 and nothing, and not carried out
)

func (f failure) String() string { return []string{"fine", "refused", "cut", "lost", "hollow"}[f] }

// ecrCall is one request of ECR's API on the wire.
type ecrCall struct {
	action, repository, tag string
	// digest is the image of a PutImage.
	digest string
	// n counts the requests of this action, from 1.
	n       int
	context context.Context
}

// flakyTransport carries requests and lets them fail as hook says. Requests
// that were given up while the hook held them are kept for deliver.
type flakyTransport struct {
	mu     sync.Mutex
	hook   func(ecrCall) failure
	counts map[string]int
	late   []*http.Request
}

// errConnection is what a cut connection looks like.
var errConnection = errors.New("connection reset by the test")

func (w *flakyTransport) set(hook func(ecrCall) failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook, w.counts = hook, nil
}

func (w *flakyTransport) seen() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.counts)
}

func (w *flakyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	call, hook := w.note(r, body)
	what := fine
	if hook != nil {
		what = hook(call)
	}
	send := r.Clone(context.WithoutCancel(r.Context()))
	send.Body = io.NopCloser(bytes.NewReader(body))
	if r.Context().Err() != nil {
		w.mu.Lock()
		w.late = append(w.late, send)
		w.mu.Unlock()
		return nil, r.Context().Err()
	}
	switch what {
	case refused:
		return refusal(r), nil
	case cut:
		return nil, errConnection
	case hollow:
		return reply(r, http.StatusOK, `{}`), nil
	}
	answer, err := http.DefaultTransport.RoundTrip(send)
	if err == nil && what == lost {
		answer.Body.Close()
		return nil, errConnection
	}
	return answer, err
}

func (w *flakyTransport) note(r *http.Request, body []byte) (ecrCall, func(ecrCall) failure) {
	var in struct {
		RepositoryName, ImageTag, ImageDigest string
		ImageIDs                              []struct{ ImageTag string }
	}
	_ = json.Unmarshal(body, &in) // what cannot be read names nothing
	if in.ImageTag == "" && len(in.ImageIDs) == 1 {
		in.ImageTag = in.ImageIDs[0].ImageTag
	}
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counts == nil {
		w.counts = map[string]int{}
	}
	w.counts[action]++
	return ecrCall{action, in.RepositoryName, in.ImageTag, in.ImageDigest, w.counts[action], r.Context()}, w.hook
}

// deliver carries out what was given up on: a request that was on its way when
// its sender stopped waiting.
func (w *flakyTransport) deliver(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.late {
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	w.late = nil
}

func refusal(r *http.Request) *http.Response {
	return reply(r, http.StatusBadRequest, `{"__type":"AccessDeniedException","message":"refused by the test"}`)
}

func reply(r *http.Request, status int, text string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body:   io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r,
	}
}

// nth lets the n-th request of an action fail.
func nth(action string, n int, f failure) func(ecrCall) failure {
	return func(c ecrCall) failure {
		if c.action == action && c.n == n {
			return f
		}
		return fine
	}
}

// serial lets a hook be called by one request at a time.
func serial(hook func(ecrCall) failure) func(ecrCall) failure {
	var mu sync.Mutex
	return func(c ecrCall) failure {
		mu.Lock()
		defer mu.Unlock()
		return hook(c)
	}
}
