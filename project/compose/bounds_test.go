package compose_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway/internal/fault"
	"slipway/internal/testkit"
	"slipway/project/compose"
)

// A project that takes far longer to load than allowed is bad input. The end of the
// command's own context stays an interrupt.
func TestLoadEndsInTime(t *testing.T) {
	const services = 20 // each more doubles the time: these take some seconds
	var text strings.Builder
	text.WriteString("services:\n")
	for i := range services {
		fmt.Fprintf(&text, "  s%d: {build: ., depends_on: [", i)
		for j := i + 1; j < services; j++ {
			fmt.Fprintf(&text, "s%d,", j)
		}
		text.WriteString("]}\n")
	}
	o := below(testkit.WriteTree(t, map[string]string{"compose.yaml": text.String()}), compose.Options{Limit: 50 * time.Millisecond})
	_, err := compose.Load(t.Context(), o)
	var input *fault.InputError
	if !errors.As(err, &input) || err.Error() != "compose project: takes longer to load than the limit of 50ms" {
		t.Errorf("Load: %v, want an *InputError that names the limit", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := compose.Load(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted Load: %v, want the context's error", err)
	}
}
