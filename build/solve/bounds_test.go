package solve_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway/build/solve"
	"slipway/internal/fault"
)

// A project that takes far longer to load than allowed is bad input. The end of the
// command's own context stays an interrupt.
func TestLoadEndsInTime(t *testing.T) {
	const services = 20 // each more doubles the time: these take some seconds
	var compose strings.Builder
	compose.WriteString("services:\n")
	for i := range services {
		fmt.Fprintf(&compose, "  s%d: {build: ., depends_on: [", i)
		for j := i + 1; j < services; j++ {
			fmt.Fprintf(&compose, "s%d,", j)
		}
		compose.WriteString("]}\n")
	}
	o := below(files(t, map[string]string{"compose.yaml": compose.String()}), solve.LoadOptions{Limit: 50 * time.Millisecond})
	_, err := solve.Load(t.Context(), o)
	var input *fault.InputError
	if !errors.As(err, &input) || err.Error() != "compose project: takes longer to load than the limit of 50ms" {
		t.Errorf("Load: %v, want an *InputError that names the limit", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := solve.Load(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted Load: %v, want the context's error", err)
	}
}
