package revisions

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"slipway/internal/awsclient"
	"slipway/registry"
)

// wantIncomplete checks that an error says which answer lacked what.
func wantIncomplete(t *testing.T, err error, operation, item string) {
	t.Helper()
	var partial *awsclient.IncompleteError
	if !errors.As(err, &partial) || partial.Operation != operation || !strings.Contains(partial.Item, item) {
		t.Errorf("got %v, want an incomplete answer to %s about %q", err, operation, item)
	}
}

// TestHollowAnswers answers one action with status 200 and nothing: that is an
// error, and never an image, a tag, a repository or a policy that is not there.
func TestHollowAnswers(t *testing.T) {
	t.Parallel()
	s := newRegistryFixture(t, "shop/a", "shop/b")
	s.history("one", "two")
	p := s.publication("three", s.push(s.images()))
	before := s.tags()
	for action, item := range map[string]string{"BatchGetImage": "image three of shop/", "PutImage": "the image", "DescribeImages": "image latest of shop/"} {
		s.transport.set(nth(action, 1, hollow))
		_, err := Publish(t.Context(), s.clients, p)
		wantIncomplete(t, err, action, item)
		s.wantState(before)
		s.push(s.images()) // so that the next run has other images
		p = s.publication("three", s.push(s.images()))
	}
	all := func(action string) func(ecrCall) failure {
		return func(c ecrCall) failure {
			if c.action == action {
				return hollow
			}
			return fine
		}
	}
	s.transport.set(all("DescribeRepositories"))
	_, missing, err := registry.Find(t.Context(), s.clients, []registry.Ref{s.repos[0].Ref, s.repos[1].Ref})
	if wantIncomplete(t, err, "DescribeRepositories", "shop/"); len(missing) > 0 {
		t.Errorf("said to be missing: %v", missing)
	}
	s.transport.set(all("GetLifecyclePolicy"))
	_, err = registry.ApplyRetention(t.Context(), s.clients(""), s.repos[0], 7, false)
	wantIncomplete(t, err, "GetLifecyclePolicy", "shop/a")
	s.transport.set(all("PutLifecyclePolicy"))
	_, err = registry.ApplyRetention(t.Context(), s.clients(""), s.repos[0], 7, false)
	wantIncomplete(t, err, "PutLifecyclePolicy", "policy")
}

// TestHollowAnswersWhileReverting lets the way back be answered with nothing:
// that all tags are where they were is said only where it is so.
func TestHollowAnswersWhileReverting(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"BatchGetImage", "PutImage", "BatchDeleteImage"} {
		u := newFailingPublication(t)
		reverting := false
		err := u.try(t.Context(), serial(func(c ecrCall) failure {
			if c.action == "DescribeImages" {
				reverting = true
				return refused
			}
			if reverting && c.action == action && c.repository == "shop/b" {
				return hollow
			}
			return fine
		}))
		var failed *PublishError
		if !errors.As(err, &failed) || len(failed.Left)+len(failed.Unknown) == 0 {
			t.Errorf("%s: got %v, want a PublishError with tags that are left or unknown", action, err)
		}
		for at, digest := range u.tags() {
			name, tag, _ := strings.Cut(at, ":")
			told := slices.ContainsFunc(failed.Left, func(c Change) bool { return c.Repository.Name == name && c.Tag == tag && c.To == digest }) ||
				slices.Contains(failed.Unknown, name)
			if u.before[at] != digest && !told {
				t.Errorf("%s: %s points to %s and the error does not say it: %v", action, at, digest, err)
			}
		}
	}
}
