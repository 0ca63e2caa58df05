package engine

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// stuck is a body that sends nothing until its request ends.
type stuck struct{ ctx context.Context }

func (s stuck) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func (stuck) Close() error { return nil }

func TestStreamThatStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	s := &stream{stuck{ctx}, time.Millisecond, cancel, ctx}
	if _, err := io.ReadAll(s); err == nil || !strings.Contains(err.Error(), "has sent nothing for 1ms") {
		t.Errorf("got error %v, want that nothing was sent for 1ms", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
