package solve

import (
	"errors"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	b := Backoff{Attempts: 9, First: time.Second, Max: 5 * time.Second}
	spread := map[time.Duration]bool{}
	for attempt, most := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 5 * time.Second, 60: 5 * time.Second, 100: 5 * time.Second} {
		for range 50 {
			d := b.pause(attempt)
			if d < most/2 || d >= most {
				t.Fatalf("pause %d is %s, want %s to %s", attempt, d, most/2, most)
			}
			spread[d] = true
		}
	}
	if len(spread) < 200 {
		t.Errorf("only %d different pauses: services come back together", len(spread))
	}
	if d := (Backoff{}).pause(1); d != 0 {
		t.Errorf("the zero value waits %s, want 0", d)
	}
	if d := (Backoff{First: 1, Max: 1}).pause(1); d != 1 {
		t.Errorf("the shortest pause is %d ns", d)
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]bool{
		"failed to push r: denied: not authorized to perform: ecr:PutImage":                     true,
		"failed to push r: denied: Your authorization token has expired":                        true,
		"unexpected status from HEAD request to http://r/v2/a/blobs/sha256:1: 401 Unauthorized": true,
		"unexpected status from HEAD request to http://r/v2/a/blobs/sha256:1: 403 Forbidden":    true,
		"name unknown: The repository with name 'a' does not exist":                             true,
		"toomanyrequests: Rate exceeded":                                                        false,
		"unexpected status from PUT request to http://r/v2/a: 500 Internal Server Error":        false,
		"failed to do request: Put http://r/v2/a: EOF":                                          false,
	} {
		if refused(errors.New(text)) != want {
			t.Errorf("refused is %v for %q", !want, text)
		}
	}
}
