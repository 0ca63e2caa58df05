package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slipway/internal/testkit"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
)

// tokenIssuer answers GetAuthorizationToken, and nothing else, as told.
type tokenIssuer struct {
	t       *testing.T
	calls   atomic.Int32
	started chan struct{}                     // told of each request, if set
	hold    chan struct{}                     // closed to let answers go, if set
	answer  func(n int32) (status int, v any) // n counts from 1
}

type authData struct {
	AuthorizationToken string  `json:"authorizationToken"`
	ExpiresAt          float64 `json:"expiresAt,omitempty"`
}

func tokenAnswer(plain string, expires time.Time) any {
	d := authData{AuthorizationToken: base64.StdEncoding.EncodeToString([]byte(plain))}
	if !expires.IsZero() {
		d.ExpiresAt = float64(expires.Unix())
	}
	return map[string]any{"authorizationData": []authData{d}}
}

func (i *tokenIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if got := r.Header.Get("X-Amz-Target"); !strings.HasSuffix(got, ".GetAuthorizationToken") {
		i.t.Errorf("unexpected call %s", got)
	}
	n := i.calls.Add(1)
	if i.started != nil {
		i.started <- struct{}{}
	}
	if i.hold != nil {
		<-i.hold
	}
	status, v := i.answer(n)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (i *tokenIssuer) clients() Clients {
	server := httptest.NewServer(i)
	i.t.Cleanup(server.Close)
	return func(region string) *ecr.Client { return testkit.ECRClient(server.URL, region) }
}

type testClock struct{ at atomic.Int64 }

func newTestClock() *testClock {
	c := &testClock{}
	c.at.Store(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC).Unix())
	return c
}

func (c *testClock) now() time.Time          { return time.Unix(c.at.Load(), 0) }
func (c *testClock) advance(d time.Duration) { c.at.Add(int64(d / time.Second)) }

func wantLogin(t *testing.T, l *Logins, host, password string) {
	t.Helper()
	got, ok, err := l.Credentials(t.Context(), host)
	if err != nil || !ok || got.Username != "AWS" || got.Password.Reveal() != password {
		t.Fatalf("Credentials(%q) = %s %q, %v, %v, want %q", host, got.Username, got.Password.Reveal(), ok, err, password)
	}
}

func TestLoginsRenew(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ life, before, after time.Duration }{
		"12 hours leave 15 minutes": {12 * time.Hour, 12*time.Hour - 15*time.Minute - time.Second, 2 * time.Second},
		"an hour leaves a tenth":    {time.Hour, 54*time.Minute - time.Second, 2 * time.Second},
		"no time given":             {0, 12*time.Hour - 15*time.Minute - time.Second, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newTestClock()
			issuer := &tokenIssuer{t: t, answer: func(n int32) (int, any) {
				var expires time.Time
				if tc.life != 0 {
					expires = clock.now().Add(tc.life)
				}
				return 200, tokenAnswer(fmt.Sprintf("AWS:token-%d", n), expires)
			}}
			l := NewLogins(issuer.clients(), clock.now)
			l.Register("One.example:5000", "eu-west-1")
			l.Register("two.example", "eu-west-1")
			wantLogin(t, l, "one.example:5000", "token-1")
			wantLogin(t, l, "two.example", "token-1")
			clock.advance(tc.before)
			wantLogin(t, l, "one.example:5000", "token-1")
			clock.advance(tc.after)
			wantLogin(t, l, "one.example:5000", "token-2")
			wantLogin(t, l, "two.example", "token-2")
			if n := issuer.calls.Load(); n != 2 {
				t.Errorf("%d calls, want 2", n)
			}
		})
	}
}

func TestLoginsUnknownHost(t *testing.T) {
	t.Parallel()
	l := NewLogins(func(string) *ecr.Client { t.Error("asked AWS"); return nil }, time.Now)
	l.Register("one.example", "eu-west-1")
	if got, ok, err := l.Credentials(t.Context(), "docker.io"); ok || err != nil || got.Password.Reveal() != "" {
		t.Errorf("got %v, %v, %v, want no login for a host that is not registered", got, ok, err)
	}
	l.Invalidate("docker.io")
}

func TestLoginsInvalidate(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	issuer := &tokenIssuer{t: t, answer: func(n int32) (int, any) {
		return 200, tokenAnswer(fmt.Sprintf("AWS:token-%d", n), clock.now().Add(time.Hour))
	}}
	l := NewLogins(issuer.clients(), clock.now)
	l.Register("one.example", "eu-west-1")
	wantLogin(t, l, "one.example", "token-1")
	l.Invalidate("ONE.example")
	wantLogin(t, l, "one.example", "token-2")
}

func TestLoginsSingleFlight(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	issuer := &tokenIssuer{t: t, started: make(chan struct{}, 100), hold: make(chan struct{}), answer: func(n int32) (int, any) {
		return 200, tokenAnswer(fmt.Sprintf("AWS:token-%d", n), clock.now().Add(time.Hour))
	}}
	l := NewLogins(issuer.clients(), clock.now)
	l.Register("one.example", "eu-west-1")

	// The first caller gives up while its request is under way; those that
	// wait with it must not notice.
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() {
		_, _, err := l.Credentials(ctx, "one.example")
		gaveUp <- err
	}()
	<-issuer.started
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, ok, err := l.Credentials(t.Context(), "one.example"); err != nil || !ok || got.Password.Reveal() != "token-1" {
				t.Errorf("got %q, %v, %v, want token-1", got.Password.Reveal(), ok, err)
			}
		})
	}
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that gave up got %v", err)
	}
	close(issuer.hold)
	wg.Wait()
	if n := issuer.calls.Load(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

func TestLoginsUseWhatIsStillValid(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	issuer := &tokenIssuer{t: t, answer: func(n int32) (int, any) {
		if n == 1 {
			return 200, tokenAnswer("AWS:token-1", clock.now().Add(time.Hour))
		}
		return 400, map[string]string{"__type": "AccessDeniedException", "message": "no more"}
	}}
	l := NewLogins(issuer.clients(), clock.now)
	l.Register("one.example", "eu-west-1")
	wantLogin(t, l, "one.example", "token-1")
	clock.advance(59 * time.Minute)
	wantLogin(t, l, "one.example", "token-1")
	clock.advance(2 * time.Minute)
	_, ok, err := l.Credentials(t.Context(), "one.example")
	if !ok || err == nil || !strings.Contains(err.Error(), "logging in to one.example") || !strings.Contains(err.Error(), "no more") {
		t.Errorf("got %v, %v, want the error of logging in to one.example", ok, err)
	}
	if n := issuer.calls.Load(); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

func TestLoginsRefuseOddTokens(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	for want, answer := range map[string]any{
		"without a token":      map[string]any{},
		"not base64":           map[string]any{"authorizationData": []authData{{AuthorizationToken: "hunter2!"}}},
		"form user:password":   tokenAnswer("hunter2", time.Time{}),
		"the form user:passwo": tokenAnswer("hunter2:", time.Time{}),
	} {
		issuer := &tokenIssuer{t: t, answer: func(int32) (int, any) { return 200, answer }}
		l := NewLogins(issuer.clients(), clock.now)
		l.Register("one.example", "eu-west-1")
		_, _, err := l.Credentials(t.Context(), "one.example")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestLoginsAskOncePerRegion(t *testing.T) {
	t.Parallel()
	server, clients := testkit.StartECR(t)
	var refs []Ref
	for _, account := range []string{testkit.HomeAccount, testkit.OtherAccount} {
		for _, region := range []string{testkit.HomeRegion, testkit.OtherRegion} {
			refs = append(refs, Ref{Account: account, Region: region, Name: "shop/one"})
		}
	}
	repos := mustCreate(t, server, clients, refs...)
	logins := NewLogins(clients, time.Now)
	for _, repo := range repos {
		logins.Register(repo.URI.RegistryStr(), repo.Region)
	}
	for _, repo := range repos {
		creds, ok, err := logins.Credentials(t.Context(), repo.URI.RegistryStr())
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		testkit.PushImage(t, repo.URI, authn.FromConfig(authn.AuthConfig{Username: creds.Username, Password: creds.Password.Reveal()}), "latest")
	}
	testkit.WantECRCalls(t, server, "GetAuthorizationToken", 2)
}
