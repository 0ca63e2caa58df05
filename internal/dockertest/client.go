package dockertest

import (
	"testing"

	"github.com/moby/moby/client"
)

// Docker connects to the engine; the connection is closed when the test ends.
func (e *Engine) Docker(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(e.options()...)
	if err != nil {
		t.Fatalf("connecting to the Docker engine: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
