package engine

import (
	"errors"
	"testing"
)

// A pool for no platform builds services without a platform for that of its engines, which
// must be one.
func TestEnginesOfAPoolAreAlike(t *testing.T) {
	t.Parallel()
	amd := &Engine{Address: "tcp://a:1", Platforms: []string{"linux/amd64", "linux/arm64"}}
	arm := &Engine{Address: "tcp://b:1", Platforms: []string{"linux/arm64"}}
	err := checkAlike([]*Engine{amd, amd, arm})
	if want := "the engines of a pool build for different platforms: tcp://a:1 for linux/amd64, tcp://b:1 for linux/arm64"; err == nil || err.Error() != want {
		t.Errorf("checkAlike = %v, want %s", err, want)
	}
	named := *arm
	named.Platform = "linux/arm64"
	if err := checkAlike([]*Engine{&named, &named}); err != nil {
		t.Errorf("checkAlike of engines named for a platform = %v, want nil", err)
	}
}

// An engine that cannot do the build is not left out in silence.
func TestEngineOfAPoolThatCannot(t *testing.T) {
	t.Parallel()
	old := &CannotError{&Engine{Kind: Buildkitd, Address: "tcp://b:1"}, []string{"make reproducible images"}}
	silent := &NotFoundError{Causes: []error{&SilentError{Address: "tcp://c:1", Err: errors.New("refused")}}}
	_, err := judge([]*Engine{{Address: "tcp://a:1"}}, []error{nil, silent, old})
	var cannot *CannotError
	if !errors.As(err, &cannot) || cannot != old {
		t.Errorf("judge = %v, want that tcp://b:1 cannot do it", err)
	}
}
