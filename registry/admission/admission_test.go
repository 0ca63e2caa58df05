package admission

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"slipway/internal/sandbox"
	sandboxecr "slipway/internal/sandbox/ecr"
	"slipway/internal/testkit"
	"slipway/registry"
)

// fixture is a repository of the sandbox with two images.
type fixture struct {
	t       *testing.T
	server  *sandbox.Server
	clients registry.Clients
	repo    registry.Ref
	images  [2]string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	server, clients := testkit.StartECR(t)
	f := &fixture{t: t, server: server, clients: clients, repo: registry.Ref{Name: "shop/web"}}
	client := clients("")
	if _, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String(f.repo.Name)}); err != nil {
		t.Fatal(err)
	}
	found, _, err := registry.Find(t.Context(), clients, []registry.Ref{f.repo})
	if err != nil {
		t.Fatal(err)
	}
	for i, tag := range []string{"one", "two"} {
		f.images[i] = testkit.PushImage(t, found[f.repo].URI, testkit.ECRLogin(t, client), tag)
	}
	server.ResetCalls()
	return f
}

func (f *fixture) scan(i int, status string, counts map[string]int32) {
	f.t.Helper()
	if err := f.server.SetScan(f.repo.Name, f.images[i], sandboxecr.Scan{Status: status, Description: "as the test says", Counts: counts}); err != nil {
		f.t.Fatal(err)
	}
}

// image is an image with platforms of the fixture's.
func (f *fixture) image(digest string, platforms ...string) Image {
	return Image{Repository: f.repo, Digest: digest, Platforms: platforms}
}

func checks(level Level) Checks {
	return Checks{Scan: level, Timeout: time.Minute, Pause: time.Millisecond}
}

// refusals are the reasons of an error, by digest.
func refusals(t *testing.T, err error) map[string]string {
	t.Helper()
	out := map[string]string{}
	var all interface{ Unwrap() []error }
	if err == nil {
		return out
	}
	if !errors.As(err, &all) {
		t.Fatalf("got %v, want joined errors", err)
	}
	for _, one := range all.Unwrap() {
		var refused *RefusedError
		if !errors.As(one, &refused) {
			t.Fatalf("got %v, want a RefusedError", one)
		}
		out[refused.Digest] = refused.Reason
	}
	return out
}

func TestLevels(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	found := map[string]int32{"CRITICAL": 1, "HIGH": 2, "MEDIUM": 3, "LOW": 4, "INFORMATIONAL": 5, "UNDEFINED": 6, "UNTRIAGED": 7}
	for i, level := range levels {
		named, err := ParseLevel(strings.ToUpper(string(level)))
		if err != nil || named != level {
			t.Errorf("ParseLevel of %s: %q, %v", level, named, err)
		}
		f.scan(0, "COMPLETE", found)
		if got := refusals(t, Pass(t.Context(), f.clients, []Image{f.image(f.images[0])}, checks(level))); len(got) != 1 {
			t.Errorf("%s: refused %v, want the image", level, got)
		}
		below := map[string]int32{"LOW": 0}
		for _, lower := range levels[:i] {
			below[strings.ToUpper(string(lower))] = 1
		}
		f.scan(0, "ACTIVE", below)
		if err := Pass(t.Context(), f.clients, []Image{f.image(f.images[0])}, checks(level)); err != nil {
			t.Errorf("%s: findings below it: %v", level, err)
		}
	}
	if _, err := ParseLevel("undefined"); err == nil {
		t.Error("undefined is a level")
	}
}

// TestIndex scans the images of an index: ECR scans no index.
func TestIndex(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.scan(0, "COMPLETE", map[string]int32{})
	f.scan(1, "COMPLETE", map[string]int32{"HIGH": 1})
	got := refusals(t, Pass(t.Context(), f.clients, []Image{f.image("sha256:"+strings.Repeat("0", 64), f.images[:]...)}, checks("high")))
	if want := "has findings of level high or above: 1 high"; len(got) != 1 || got[f.images[1]] != want {
		t.Errorf("refused %v, want %s of the second", got, want)
	}
}

// TestStatuses: each status of a scan without a result refuses the image; two wait.
func TestStatuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, status := range []string{"FAILED", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED", "IMAGE_ARCHIVED", "SOMETHING_NEW"} {
		f.scan(0, status, nil)
		got := refusals(t, Pass(t.Context(), f.clients, []Image{f.image(f.images[0])}, checks("critical")))
		if want := "was not scanned (" + status + ": as the test says)"; got[f.images[0]] != want {
			t.Errorf("%s: refused %v, want %q", status, got, want)
		}
	}
	for _, status := range []string{"IN_PROGRESS", "PENDING"} {
		f.scan(0, status, nil)
		var waits atomic.Int32
		c := checks("critical")
		c.Waiting = func(string) {
			waits.Add(1)
			f.scan(0, "COMPLETE", map[string]int32{})
		}
		if err := Pass(t.Context(), f.clients, []Image{f.image(f.images[0])}, c); err != nil || waits.Load() != 1 {
			t.Errorf("%s: %v after %d notes, want one", status, err, waits.Load())
		}
	}
}

// TestScanBegins waits for the scan of a pushed image where the repository scans, and
// only there.
func TestScanBegins(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	got := refusals(t, Pass(t.Context(), f.clients, []Image{f.image(f.images[0])}, checks("low")))
	if !strings.HasPrefix(got[f.images[0]], "has not been scanned") {
		t.Errorf("refused %v", got)
	}
	if err := f.server.SetScanOnPush(f.repo.Name, true); err != nil {
		t.Fatal(err)
	}
	c := checks("low")
	c.Waiting = func(string) { f.scan(0, "COMPLETE", map[string]int32{}) }
	if err := Pass(t.Context(), f.clients, []Image{f.image(f.images[0])}, c); err != nil {
		t.Error(err)
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := Checks{Signature: true, Timeout: time.Minute, Pause: time.Millisecond}
	set := func(signings ...sandboxecr.Signing) {
		if err := f.server.SetSigning(f.repo.Name, f.images[0], signings...); err != nil {
			t.Fatal(err)
		}
	}
	made, failed := sandboxecr.Signing{Profile: "one", Status: "COMPLETE"}, sandboxecr.Signing{Profile: "two", Status: "FAILED", FailureCode: "Denied"}
	for want, signings := range map[string][]sandboxecr.Signing{
		"":              {made},
		"is not signed": nil,
		"could not be signed with two (FAILED: Denied)": {made, failed},
	} {
		set(signings...)
		got := refusals(t, Pass(t.Context(), f.clients, []Image{f.image(f.images[0], f.images[1])}, c))[f.images[0]]
		if (want == "") != (got == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%v: refused %q, want %q", signings, got, want)
		}
	}
	set(made, sandboxecr.Signing{Profile: "two", Status: "IN_PROGRESS"})
	c.Waiting = func(string) { set(made, made) }
	if err := Pass(t.Context(), f.clients, []Image{f.image(f.images[0])}, c); err != nil {
		t.Error(err)
	}
}

// TestErrors: what AWS refuses is its error, not that of the image, and an interrupt
// ends the wait.
func TestErrors(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.scan(0, "IN_PROGRESS", nil)
	ctx, cancel := context.WithCancel(t.Context())
	c := checks("low")
	c.Waiting = func(string) { cancel() }
	if err := Pass(ctx, f.clients, []Image{f.image(f.images[0])}, c); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	for action, c := range map[string]Checks{
		"DescribeImageScanFindings":  checks("low"),
		"DescribeImageSigningStatus": {Signature: true, Timeout: time.Minute, Pause: time.Millisecond},
	} {
		f.server.Deny("ecr:" + action)
		err := Pass(t.Context(), f.clients, []Image{f.image(f.images[0])}, c)
		if err == nil || errors.As(err, new(*RefusedError)) || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("%s denied: %v", action, err)
		}
	}
}
